"""Models small enough to be run again and again."""

from pathlib import Path

import pytest

from tests.models import tiny_encoder, tiny_ranker


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder` and `ranker`."""
    folder = tmp_path_factory.mktemp("models")
    tiny_encoder(folder / "encoder")
    tiny_ranker(folder / "ranker")
    return folder
