from collections.abc import Iterator

import pytest

from tests.indexer.installation import TRADE, Installation, installation


@pytest.fixture(scope="package")
def indexer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of this area; each uses collections of its own."""
    with installation(
        tmp_path_factory.mktemp("indexer"), words={TRADE: "寻文系统 5 n\n"}
    ) as running:
        yield running
