"""`python -m services.recall`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import sys

from services.common.app import serve
from services.common.engine import open_encoder
from services.common.errors import DictionaryInvalid, ModelInvalid
from services.common.settings import read_settings
from services.common.text import Analyzers
from services.recall.app import create_app
from services.recall.settings import RecallSettings


def main() -> int:
    settings = read_settings(RecallSettings, "recall")
    try:
        encoder = open_encoder(settings.model_dir, settings.predictor_options())
        analyzers = Analyzers(settings.dictionaries)
    except (ModelInvalid, DictionaryInvalid) as error:
        sys.stderr.write(f"recall: {error.detail}\n")
        return 1
    serve(create_app(settings, encoder, analyzers), settings, "recall")
    return 0


if __name__ == "__main__":
    sys.exit(main())
