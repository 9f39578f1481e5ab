"""Opens Redis for every service: a server, the master behind Sentinel, or a cluster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from services.common.redis.address import RedisAddress, RedisKind

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What a client raises when Redis is away, fails over, or cannot carry out a command."""

_CONNECTIONS = 32


def fault(error: Exception) -> str:
    """What is wrong with a Redis, for its operator; the end of a sentence that begins with its
    name."""
    match error:
        case AuthenticationError() | NoPermissionError():
            return "refuses user and password of its address; correct them there"
        case OutOfMemoryError():
            return "is full and takes no writes; give it more memory"
        case ReadOnlyError():
            return "is a replica and takes no writes; name the master, or the sentinels"
    return "does not answer"


def of_another_type(error: Exception) -> bool:
    """Whether Redis refused a command since its key holds a value of another type. Redis itself is
    there then, and the key stays as it is until somebody deletes or replaces it."""
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


class _MasterPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the master that Sentinel names at that moment, a bounded number of them."""


@asynccontextmanager
async def opened_redis(address: RedisAddress, seconds: float = 0.5) -> AsyncIterator[Redis]:
    """A client with a pool of connections, closed with the context; nothing is sent at first.

    `seconds` bounds each step of a command: waiting for a free connection, connecting, the answer.
    One retry covers connections that broke when a server was restarted or demoted. A cluster's
    client has the same commands, except on keys of several slots.
    """
    opened = {
        RedisKind.SERVER: _server,
        RedisKind.SENTINEL: _master,
        RedisKind.CLUSTER: _cluster,
    }[address.kind]
    client, sentinels = opened(address, seconds)
    try:
        yield client
    finally:
        for each in (client, *sentinels):
            await each.aclose()


def _server(address: RedisAddress, seconds: float) -> tuple[Redis, list[Redis]]:
    ((host, port),) = address.nodes
    pool = BlockingConnectionPool(
        connection_class=SSLConnection if address.tls else Connection,
        host=host,
        port=port,
        **_pooled(address, seconds),
    )
    return Redis.from_pool(pool), []


def _master(address: RedisAddress, seconds: float) -> tuple[Redis, list[Redis]]:
    """A client of whichever server is the master, and the clients that ask the sentinels."""
    sentinel: Any = Sentinel
    asked = sentinel(
        address.nodes,
        sentinel_kwargs={
            **_timed(seconds, retries=0),
            **_tls(address),
            "username": address.sentinel_username,
            "password": address.sentinel_password,
        },
    )
    kind = SentinelManagedSSLConnection if address.tls else SentinelManagedConnection
    make: Any = _MasterPool
    pool = make(address.master, asked, connection_class=kind, **_pooled(address, seconds))
    return Redis.from_pool(pool), asked.sentinels


def _cluster(address: RedisAddress, seconds: float) -> tuple[Redis, list[Redis]]:
    make: Any = RedisCluster
    client = make(
        startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
        username=address.username,
        password=address.password,
        **_timed(seconds, retries=1),
        **_tls(address),
    )
    return cast("Redis", client), []


def _pooled(address: RedisAddress, seconds: float) -> dict[str, Any]:
    """The options of a pool and its connections, to one server at a time."""
    return {
        "max_connections": _CONNECTIONS,
        "timeout": seconds,
        "username": address.username,
        "password": address.password,
        "db": address.database,
        **_timed(seconds, retries=1),
        **(address.tls.options() if address.tls else {}),
    }


def _timed(seconds: float, retries: int) -> dict[str, Any]:
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), retries),
    }


def _tls(address: RedisAddress) -> dict[str, Any]:
    return {"ssl": True, **address.tls.options()} if address.tls else {}
