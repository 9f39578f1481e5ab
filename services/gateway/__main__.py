"""`python -m services.gateway`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import asyncio
import sys

from services.common.app import serve
from services.common.errors import Unavailable
from services.common.settings import read_settings
from services.gateway.access.keystore import KeyStore
from services.gateway.app import create_app
from services.gateway.redis_client import GuardedRedis, connect
from services.gateway.settings import GatewaySettings


def main() -> int:
    settings = read_settings(GatewaySettings, "gateway")
    if settings.keys_on and settings.operator_key is None and asyncio.run(_no_key(settings)):
        sys.stderr.write(
            f"gateway: {settings.host} can be reached from other machines and there is no API key;"
            " make one with `xunwen keys create`, or set XUNWEN_GATEWAY_OPERATOR_KEY. Where"
            " something else decides who may call, set XUNWEN_GATEWAY_REQUIRE_KEYS=false.\n"
        )
        return 1
    serve(create_app(settings), settings, "gateway")
    return 0


async def _no_key(settings: GatewaySettings) -> bool:
    """Whether the state store is known to hold no key. While it is away nobody is let in."""
    async with connect(settings.state_redis_url) as redis:
        try:
            return not await KeyStore(GuardedRedis(redis, "state store")).all()
        except Unavailable:
            return False


if __name__ == "__main__":
    sys.exit(main())
