"""`python -m services.indexer`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the start has ended

from fastapi import FastAPI

from services.common.model_dir.encoders import EncoderDirectories
from services.common.objects import ObjectStoreSettings
from services.common.server.app import start
from services.common.settings import read_settings
from services.common.text import Analyzers
from services.indexer.app import create_app
from services.indexer.settings import IndexerSettings


def create(settings: IndexerSettings) -> FastAPI:
    """Reads the encoders' manifests and the dictionaries, and creates the application. Raises
    StartFailed."""
    objects = read_settings(ObjectStoreSettings, "indexer")
    encoders = EncoderDirectories.read(settings.model_dir, settings.encoders)
    return create_app(settings, objects, encoders, Analyzers(settings.dictionaries))


if __name__ == "__main__":
    sys.exit(start("indexer", IndexerSettings, create))
