"""Reads of the state Redis that share round trips, while it hangs."""

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from services.common.calls.breaker import CircuitBreaker
from services.common.errors import Unavailable
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader


class Hanging:
    """A Redis that answers no command; each command times out when `late` is set."""

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.late = asyncio.Event()

    async def mget(self, _keys: list[str]) -> Any:
        self.asked.release()
        await self.late.wait()
        raise RedisTimeout


async def test_one_read_probes_a_redis_that_hangs_and_the_others_are_refused_at_once() -> None:
    """Else every request of a gateway would wait for the end of each probe."""
    redis, now = Hanging(), 0.0
    breaker = CircuitBreaker(failures=1, rest_seconds=2, clock=lambda: now)
    reader = StateReader(GuardedRedis(cast("Redis", redis), "state store", breaker))
    async with asyncio.timeout(10):
        first = asyncio.create_task(reader.get("first"))
        await redis.asked.acquire()
        redis.late.set()
        with pytest.raises(Unavailable):
            await first
        redis.late.clear()
        now = 3.0
        probe = asyncio.create_task(reader.get("probe"))
        await redis.asked.acquire()
        for number in range(5):
            with pytest.raises(Unavailable):
                await reader.get(f"other {number}")
        assert not probe.done()
        redis.late.set()
        with pytest.raises(Unavailable):
            await probe
    assert redis.asked.locked(), "no other command was sent"


class Faulty:
    """A Redis whose client raises an error of its own at the first command, once it is let go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.commands = 0

    async def mget(self, keys: list[str]) -> list[bytes]:
        self.commands += 1
        self.asked.set()
        await self.let_go.wait()
        if self.commands == 1:
            raise RuntimeError("readuntil() called while another coroutine is waiting")
        return [key.encode() for key in keys]


async def test_an_unexpected_error_of_the_client_ends_the_reads_that_it_concerns() -> None:
    """Calls would wait for ever for a key or a version; those that came meanwhile are read."""
    redis = Faulty()
    reader = StateReader(GuardedRedis(cast("Redis", redis), "state store"))
    async with asyncio.timeout(10):
        first = asyncio.gather(reader.get_all("a", "b"), return_exceptions=True)
        await redis.asked.wait()
        later = asyncio.create_task(reader.get("c"))
        await asyncio.sleep(0)
        redis.let_go.set()
        assert await later == b"c"
        assert [type(error) for error in await first] == [Unavailable]
        assert await reader.get("d") == b"d"


async def test_a_reader_that_is_closed_lets_nobody_wait() -> None:
    redis = Faulty()
    reader = StateReader(GuardedRedis(cast("Redis", redis), "state store"))
    async with asyncio.timeout(10):
        reads = [asyncio.create_task(reader.get("a"))]
        await redis.asked.wait()
        reads.append(asyncio.create_task(reader.get("b")))
        await asyncio.sleep(0)
        await reader.aclose()
        await asyncio.wait(reads)
    assert [read.cancelled() for read in reads] == [True, True]
