"""`python -m services.recall`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the start has ended

from fastapi import FastAPI

from services.common.engine import open_described
from services.common.model_dir.encoders import EncoderDirectories
from services.common.server.app import start
from services.common.text import Analyzers
from services.recall.app import create_app
from services.recall.settings import RecallSettings


def create(settings: RecallSettings) -> FastAPI:
    """Reads encoders and dictionaries and creates the application. Raises StartFailed."""
    directories = EncoderDirectories.read(settings.model_dir, settings.encoders)
    analyzers = Analyzers(settings.dictionaries)
    default = open_described(directories.default, settings.predictor_options())
    return create_app(settings, directories, default, analyzers)


if __name__ == "__main__":
    sys.exit(start("recall", RecallSettings, create))
