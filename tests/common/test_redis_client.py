"""The clients of Redis against servers, sentinels and a cluster as processes."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from kombu.entity import Queue
from redis import Redis as Client
from redis.exceptions import RedisError

from services.common.calls.breaker import CircuitBreaker
from services.common.errors import QueueUnavailable, Unavailable
from services.common.redis.address import RedisAddress
from services.common.redis.client import FAILURES, opened_redis
from services.common.versions import version_key
from services.gateway.cache.policy import Entry
from services.gateway.cache.redis import NotLocked, RedisCache
from services.gateway.search.hot.queries import HotQueries
from services.gateway.stores.redis_client import GuardedRedis
from services.indexer.index.role import WriterRole
from services.indexer.queue import celery_app
from services.indexer.versions import RedisVersions
from tests.gateway.cascades import search
from tests.redis_sets import (
    PASSWORD,
    SENTINEL_PASSWORD,
    certificates,
    cluster,
    replicated,
    tls_front,
)
from tests.servers import valkey

_SECRET = quote(PASSWORD, safe="")


async def test_an_error_that_nobody_foresaw_ends_a_probe_too() -> None:
    """Otherwise the breaker waits for the end of the probe for ever, and refuses every call."""
    redis = GuardedRedis(cast("Any", None), "state", CircuitBreaker(failures=1, rest_seconds=0.0))

    async def ends(error: Exception | None) -> str:
        if error is not None:
            raise error
        return "answered"

    with pytest.raises(Unavailable):
        await redis.call(ends(RedisError()))
    with pytest.raises(AttributeError):
        await redis.call(ends(AttributeError()))
    assert await redis.call(ends(None)) == "answered"


async def test_a_certificate_decides_who_is_asked(tmp_path: Path) -> None:
    made = certificates(tmp_path / "certificates")
    with (
        valkey(tmp_path, "--requirepass", PASSWORD) as server,
        tls_front(server.port, made, mutual=True) as port,
    ):
        here = f"rediss://:{_SECRET}@127.0.0.1:{port}/1?ssl_ca_certs={made.ca}"
        shown = f"&ssl_certfile={made.client}&ssl_keyfile={made.client_key}"
        async with opened_redis(RedisAddress.parse(here + shown)) as redis:
            await redis.set("k", "v")
            assert await redis.get("k") == b"v"
        system = f"rediss://:{_SECRET}@127.0.0.1:{port}/1?{shown[1:]}"
        for refused in (here, system):
            async with opened_redis(RedisAddress.parse(refused)) as redis:
                with pytest.raises(Unavailable, match="The cache does not answer"):
                    await GuardedRedis(redis, "cache").check()
        # Celery's broker takes the same address.
        app = celery_app(RedisAddress.parse(here + shown), "q")
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
            app.send_task("xunwen.index.part", args=["j", "p"], priority=0)
        assert Client(port=server.port, db=1, password=PASSWORD).llen("q") == 1


async def test_a_failover_is_followed_and_loses_no_version(tmp_path: Path) -> None:
    with replicated(tmp_path) as servers:
        nodes = ",".join(f"127.0.0.1:{one.port}" for one in servers.sentinels)
        secret = quote(SENTINEL_PASSWORD, safe="")
        url = f"redis+sentinel://:{_SECRET}@{nodes}/papers/2?sentinel_password={secret}"
        address = RedisAddress.parse(url)

        async def no_time() -> None:
            return None

        async with opened_redis(address) as redis:
            state = GuardedRedis(redis, "state store")
            versions = RedisVersions(redis, no_time, replicated=True)
            role = WriterRole(redis, 4.0)
            assert await role.renew()
            first = await versions.move("papers")
            app = celery_app(address, "q")
            app.send_task("xunwen.index.part", args=["j", "1"], priority=0)

            old = servers.master
            servers.sentinels[0].kill()  # the others are a majority
            servers.sentinels[0].start()
            old.kill()
            await asyncio.to_thread(servers.replace, old)
            assert await _eventually(role.renew)
            assert await versions.current("papers") == first
            app.send_task("xunwen.index.part", args=["j", "2"], priority=0)
            assert await redis.llen("q") == 2

            # A replica that lacks the last version takes over: the version is set again.
            await redis.set(version_key("papers"), "0")
            await versions.restore()
            assert await versions.current("papers") == first
            await redis.delete(version_key("papers"))
            await versions.restore()
            assert await versions.current("papers") == first
            await versions.forget("papers")
            await versions.restore()
            assert await versions.current("papers") is None

            old.start()  # it comes back as a replica, and is not written to
            await asyncio.sleep(1.5)
            await state.check()
            await versions.move("papers")
            app.close()


async def _eventually(call, seconds: float = 20) -> bool:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + seconds
    while not await call():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(0.1)
    return True


def test_a_worker_with_full_hands_outlives_its_broker(tmp_path: Path) -> None:
    """An acknowledgement that is lost frees the place of its message all the same."""
    with valkey(tmp_path) as server:
        app = celery_app(RedisAddress.parse(server.url), "q")
        app.send_task("xunwen.index.part", args=["j", "1"], priority=0)
        app.send_task("xunwen.index.part", args=["j", "2"], priority=0)
        with app.connection_for_read() as connection:
            taken: list[Any] = []
            consumer = app.amqp.TaskConsumer(
                connection.channel(), queues=[Queue("q")], on_message=taken.append
            )
            consumer.qos(prefetch_count=1)
            consumer.consume()
            connection.drain_events(timeout=5)
            qos = consumer.channel.qos
            assert not qos.can_consume()
            server.kill()
            with pytest.raises(connection.connection_errors):
                taken[0].ack()
            assert qos.can_consume()
            with pytest.raises(connection.connection_errors):
                connection.drain_events(timeout=5)
        server.start()
        with app.connection_for_read() as connection:
            again: list[Any] = []
            channel = connection.channel()
            with app.amqp.TaskConsumer(channel, queues=[Queue("q")], on_message=again.append):
                connection.drain_events(timeout=5)
            again[0].ack()
        app.close()


async def test_a_cluster_caches(tmp_path: Path) -> None:
    with cluster(tmp_path) as nodes:
        url = f"redis+cluster://:{_SECRET}@" + ",".join(f"127.0.0.1:{n.port}" for n in nodes)
        async with opened_redis(RedisAddress.parse(url)) as redis:
            cache = RedisCache(GuardedRedis(redis, "cache"))
            hot = HotQueries(cache.cache)
            for number in range(30):
                key = f"papers:{number}"
                token, entry = await cache.lock(key, 5)
                assert isinstance(token, str)
                assert entry is None
                await cache.put(key, Entry(b"{}", time.time(), 60, 60), 60)
                assert (await cache.lock(key, 5))[0] is NotLocked.BUSY
                found, locked = await cache.look(key)
                assert found is not None
                assert locked
                await cache.unlock(key, token)
                assert not (await cache.look(key))[1]
            for number in range(5):
                for _ in range(number + 1):
                    hot.count(search(query=f"问题{number}", collection=f"c{number}"), "-")
            await hot.flush()
            top = [await hot.top(f"c{number}", 1) for number in range(5)]
            assert [each[0].count for each in top] == [1, 2, 3, 4, 5]
        per_node = [Client(port=node.port, password=PASSWORD).dbsize() for node in nodes]
        assert all(per_node), per_node

        for node in nodes:
            node.kill()
        async with opened_redis(RedisAddress.parse(url)) as redis:
            async with asyncio.timeout(30):  # it gives up long before
                assert await RedisCache(GuardedRedis(redis, "cache")).get("papers:1") is None


async def test_what_is_away_is_told_the_same_way() -> None:
    for url in ("redis://", "redis+sentinel://", "redis+cluster://"):
        path = "/papers" if "sentinel" in url else ""
        async with opened_redis(RedisAddress.parse(f"{url}127.0.0.1:1{path}")) as redis:
            with pytest.raises(FAILURES):
                await redis.get("k")
            with pytest.raises(Unavailable):
                await GuardedRedis(redis, "cache").check()
    assert issubclass(FAILURES[0], RedisError)


@pytest.mark.parametrize(
    ("options", "words", "reads"),
    [
        (("--requirepass", PASSWORD), "refuses user and password", False),
        (("--maxmemory", "1", "--maxmemory-policy", "noeviction"), "is full", True),
        (("--replicaof", "127.0.0.1", "1"), "is a replica", True),
    ],
    ids=["password", "full", "replica"],
)
async def test_readiness_tells_what_is_wrong_with_a_redis_that_answers(
    tmp_path: Path, options: tuple[str, ...], words: str, reads: bool
) -> None:
    """Whoever reads that it does not answer looks at the network."""

    async def no_time() -> None:
        return None

    with valkey(tmp_path, *options) as server:
        async with opened_redis(RedisAddress.parse(server.url)) as redis:
            with pytest.raises(QueueUnavailable, match=f"The state Redis {words}"):
                await RedisVersions(redis, no_time).check()
            if reads:
                await GuardedRedis(redis, "cache").check()
            else:
                with pytest.raises(Unavailable, match=f"The cache {words}"):
                    await GuardedRedis(redis, "cache").check()
