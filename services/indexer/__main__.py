"""`python -m services.indexer`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import sys

from services.common.app import serve
from services.common.errors import DictionaryInvalid, ModelInvalid
from services.common.model_dir import Kind, load_manifest
from services.common.settings import read_settings
from services.common.text import Analyzers
from services.indexer.app import create_app
from services.indexer.settings import IndexerSettings


def main() -> int:
    settings = read_settings(IndexerSettings, "indexer")
    try:
        manifest = load_manifest(settings.model_dir)
        if manifest.kind is not Kind.ENCODER:
            raise ModelInvalid(f"{settings.model_dir.name} is no encoder")
        analyzers = Analyzers(settings.dictionaries)
    except (ModelInvalid, DictionaryInvalid) as error:
        sys.stderr.write(f"indexer: {error.detail}\n")
        return 1
    serve(create_app(settings, manifest, analyzers), settings, "indexer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
