"""Models small enough to be run again and again."""

import warnings
from pathlib import Path

import pytest

from tests.models import tiny_encoder, tiny_ranker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # both warn while they are imported
    import paddle  # noqa: F401
    import paddlenlp  # noqa: F401


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `encoder` and `ranker`."""
    folder = tmp_path_factory.mktemp("models")
    tiny_encoder(folder / "encoder", paddle=True)
    tiny_ranker(folder / "ranker", paddle=True)
    return folder
