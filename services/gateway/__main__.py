"""`python -m services.gateway`: serves until SIGTERM; exits 1 with one line if it cannot start."""

import asyncio
import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the start has ended

from fastapi import FastAPI

from services.common.errors import StartFailed, StorageDamaged, Unavailable
from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.common.server.app import start
from services.gateway.access.keystore import KeyStore
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from services.gateway.stores.redis_client import GuardedRedis


def create(settings: GatewaySettings) -> FastAPI:
    """Creates the application.

    An address that other machines can reach needs API keys. If there is neither a key nor an
    operator key, nobody could call the gateway, and StartFailed is raised.
    """
    if settings.keys_on and settings.operator_key is None and asyncio.run(_no_key(settings)):
        raise StartFailed(
            f"{settings.host} can be reached from other machines and there is no API key;"
            " make one with `xunwen keys create`, or set XUNWEN_GATEWAY_OPERATOR_KEY. Where"
            " something else decides who may call, set XUNWEN_GATEWAY_REQUIRE_KEYS=false."
        )
    return create_app(settings)


async def _no_key(settings: GatewaySettings) -> bool:
    """Whether the state store holds no key; False if it does not answer or cannot be read."""
    async with opened_redis(RedisAddress.parse(settings.state_redis_url)) as redis:
        try:
            return not await KeyStore(GuardedRedis(redis, "state store")).all()
        except (Unavailable, StorageDamaged):
            return False


if __name__ == "__main__":
    sys.exit(start("gateway", GatewaySettings, create))
