"""The writer's role: one holder, and a takeover is noticed."""

import asyncio
from pathlib import Path

from redis.asyncio import Redis

from services.indexer.index.role import WriterRole
from tests.servers import valkey


async def test_one_holds_the_role_and_a_takeover_is_noticed(tmp_path: Path) -> None:
    with valkey(tmp_path) as server:
        redis = Redis.from_url(server.url, protocol=2)
        first, second = WriterRole(redis, 0.5), WriterRole(redis, 60)
        assert await first.renew()
        assert not await second.renew()
        assert not second.holds
        await asyncio.sleep(0.6)  # what is tested: the time after which a silent holder loses it
        assert not first.holds
        assert await first.renew()
        assert first.terms == 0  # nobody had it in between

        await asyncio.sleep(0.6)
        assert await second.renew()
        assert (second.holds, second.terms) == (True, 1)
        assert not await first.renew()
        await second.release()
        assert await first.renew()
        assert first.terms == 1  # what it knows may be stale

        await redis.flushall()
        assert await first.renew()
        assert first.terms == 1
        await redis.aclose()


async def test_without_redis_nobody_holds_it(tmp_path: Path) -> None:
    with valkey(tmp_path) as server:
        redis = Redis.from_url(server.url, protocol=2, socket_connect_timeout=1)
        role = WriterRole(redis, 60)
        server.stop()
        assert not await role.renew()
        assert not role.holds
        await redis.aclose()
