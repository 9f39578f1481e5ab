from collections.abc import Iterator

import pytest

from services.common.model_dir.encoders import EncoderDirectories
from tests.indexer.installation import TRADE, Installation, installation
from tests.models import tiny_encoder


@pytest.fixture(scope="package")
def indexer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of this area; each uses collections of its own."""
    with installation(
        tmp_path_factory.mktemp("indexer"), words={TRADE: "寻文系统 5 n\n"}
    ) as running:
        yield running


@pytest.fixture(scope="package")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> EncoderDirectories:
    """The default encoder and another one."""
    folder = tmp_path_factory.mktemp("encoders")
    first, second = (tiny_encoder(folder / str(seed), seed=seed) for seed in (1, 2))
    return EncoderDirectories.read(first, [second])
