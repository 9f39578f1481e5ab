"""The writer's role: one holder, and a takeover is noticed."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from services.common.errors import Unavailable
from services.indexer.index import role
from services.indexer.index.role import KEY, WriterRole
from tests.servers import Server, valkey

SECONDS = 60.0


@dataclass
class Clock:
    """The monotonic clock of the process."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class SlowRedis:
    """A Redis whose answers take a while to come back."""

    redis: Redis
    clock: Clock
    seconds: float

    async def eval(self, *command: Any) -> Any:
        answer = await self.redis.eval(*command)
        self.clock.now += self.seconds
        return answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(role, "time", clock)
    return clock


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with valkey(tmp_path) as server:
        yield server


@pytest.fixture
async def redis(server: Server) -> AsyncIterator[Redis]:
    redis = Redis.from_url(server.url, protocol=2, socket_connect_timeout=1)
    yield redis
    await redis.aclose()


async def test_one_holds_the_role_and_a_takeover_is_noticed(redis: Redis) -> None:
    first, second = WriterRole(redis, SECONDS), WriterRole(redis, SECONDS)
    assert await first.renew()
    assert not await second.renew()
    assert not second.holds
    with pytest.raises(Unavailable, match="another indexer"):
        await second.check()
    assert await first.renew()
    assert first.terms == 0  # nobody had it in between

    await redis.delete(KEY)  # as it ends by itself
    assert await second.renew()
    assert (second.holds, second.terms) == (True, 1)
    assert not await first.renew()
    await second.release()
    assert not second.holds
    assert await first.renew()
    assert first.terms == 1  # what it knows may be stale

    await redis.flushall()
    assert await first.renew()
    assert first.terms == 1


@pytest.mark.parametrize("seconds", [0.0, 20.0])
async def test_a_silent_holder_loses_it_before_another_can_have_it(
    redis: Redis, clock: Clock, seconds: float
) -> None:
    """Also if it learns late that it was given the role."""
    began = clock.now
    silent = WriterRole(cast("Any", SlowRedis(redis, clock, seconds)), SECONDS)
    assert await silent.renew()
    lasts = await redis.pttl(KEY) / 1000
    assert SECONDS - 10 < lasts <= SECONDS
    assert silent.holds
    await silent.check()
    clock.now = began + SECONDS - 10
    assert not silent.holds


async def test_a_writer_that_stood_still_goes_on_unless_another_took_over(
    redis: Redis, clock: Clock
) -> None:
    still, other = WriterRole(redis, SECONDS), WriterRole(redis, SECONDS)
    assert await still.renew()
    for _ in range(2):  # The role ends in Redis too.
        clock.now += 2 * SECONDS
        await redis.delete(KEY)
        await still.check()
        assert (still.holds, still.terms) == (True, 0)
    clock.now += 2 * SECONDS
    await redis.delete(KEY)
    assert await other.renew()
    with pytest.raises(Unavailable, match="another indexer"):
        await still.check()


async def test_only_the_holder_gives_it_up(redis: Redis) -> None:
    first, second = WriterRole(redis, SECONDS), WriterRole(redis, SECONDS)
    assert await first.renew()
    await second.release()
    assert await redis.exists(KEY)
    await first.release()
    assert not await redis.exists(KEY)


async def test_without_redis_nobody_holds_it(server: Server, redis: Redis) -> None:
    waiting = WriterRole(redis, SECONDS)
    server.stop()
    assert not await waiting.renew()
    assert not waiting.holds
    await waiting.release()


@pytest.mark.parametrize("key", [KEY, f"{KEY}:last"])
async def test_a_value_of_another_type_holds_no_role(redis: Redis, key: str) -> None:
    """No indexer got the role, and each said that another one had it."""
    await redis.hset(key, "some", "thing")
    first = WriterRole(redis, SECONDS)
    assert await first.renew()
    assert first.terms == (1 if key != KEY else 0)  # Whoever had it before is not known.
    assert await first.renew()
