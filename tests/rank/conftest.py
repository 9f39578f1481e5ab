"""The rank service over HTTP with the model that ships."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.common.engine import PredictorOptions, Ranker, open_ranker
from services.rank.app import create_app
from services.rank.settings import RankSettings
from tests.asgi import client_of
from tests.rank.candidates import write_blend

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="package")
def ranker() -> Ranker:
    options = PredictorOptions(threads=1, precision="int8")
    return open_ranker(MODELS / "literature-ranker", options)


@pytest.fixture(scope="package")
def blend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in which every phase counts, whatever the shipped fit decided."""
    return write_blend(tmp_path_factory.mktemp("blend") / "blend.json")


@pytest.fixture
async def client(ranker: Ranker, blend: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(RankSettings(blend=blend), ranker)
    async with client_of(app) as http:
        yield http
