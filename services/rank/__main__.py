"""`python -m services.rank`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the start has ended

from fastapi import FastAPI

from services.common.engine import open_ranker
from services.common.server.app import start
from services.rank.app import create_app
from services.rank.settings import RankSettings


def create(settings: RankSettings) -> FastAPI:
    """Loads the ranker and creates the application. Raises StartFailed."""
    return create_app(settings, open_ranker(settings.model_dir, settings.predictor_options()))


if __name__ == "__main__":
    sys.exit(start("rank", RankSettings, create))
