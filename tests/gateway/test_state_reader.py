"""Reads of the state Redis that share round trips, while it hangs."""

import asyncio
import time
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from services.common.breaker import CircuitBreaker
from services.common.errors import Unavailable
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader

HANGS = 0.4
RESTS = 0.1


class Hanging:
    """A Redis that answers no command, and ends it after a while."""

    def __init__(self) -> None:
        self.asked = 0

    async def mget(self, _keys: list[str]) -> Any:
        self.asked += 1
        await asyncio.sleep(HANGS)
        raise RedisTimeout


async def test_one_read_probes_a_redis_that_hangs_and_the_others_are_refused_at_once() -> None:
    """Else every request of a gateway would wait for the end of each probe."""
    redis = Hanging()
    breaker = CircuitBreaker(failures=1, rest_seconds=RESTS)
    reader = StateReader(GuardedRedis(cast("Redis", redis), "state store", breaker))
    with pytest.raises(Unavailable):
        await reader.get("first")
    await asyncio.sleep(2 * RESTS)
    probe = asyncio.create_task(reader.get("probe"))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    for number in range(5):
        with pytest.raises(Unavailable):
            await reader.get(f"other {number}")
    assert time.monotonic() - began < HANGS / 2
    assert not probe.done()
    with pytest.raises(Unavailable):
        await probe
    assert redis.asked == 2
