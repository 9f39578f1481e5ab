"""`python -m services.gateway`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import sys

from services.common.app import serve
from services.common.settings import read_settings
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings


def main() -> int:
    settings = read_settings(GatewaySettings, "gateway")
    serve(create_app(settings), settings, "gateway")
    return 0


if __name__ == "__main__":
    sys.exit(main())
