"""`python -m services.rank`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import sys

from services.common.app import serve
from services.common.engine import open_ranker
from services.common.errors import ModelInvalid
from services.common.settings import read_settings
from services.rank.app import create_app
from services.rank.settings import RankSettings


def main() -> int:
    settings = read_settings(RankSettings, "rank")
    try:
        ranker = open_ranker(settings.model_dir, settings.predictor_options())
        app = create_app(settings, ranker)
    except ModelInvalid as error:
        sys.stderr.write(f"rank: {error.detail}\n")
        return 1
    serve(app, settings, "rank")
    return 0


if __name__ == "__main__":
    sys.exit(main())
