"""Redis as the gateway uses it: short waits, one retry for a stale connection, a breaker."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.common.breaker import CircuitBreaker
from services.common.errors import Unavailable

Result = TypeVar("Result")

_SOCKET_SECONDS = 0.5
_CONNECTIONS = 32


def connect(url: str) -> Redis:
    """A client with a pool; nothing is sent yet. One retry covers a server that was restarted."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_SOCKET_SECONDS,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_SOCKET_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


@dataclass(slots=True)
class GuardedRedis:
    """A Redis whose absence costs nothing: after failures in a row it is left alone a second."""

    redis: Redis
    what: str
    """Its name in messages."""
    breaker: CircuitBreaker = field(
        default_factory=lambda: CircuitBreaker(failures=3, rest_seconds=1.0)
    )

    async def call(self, command: Awaitable[Result]) -> Result:
        """The command's result. Raises Unavailable."""
        if not self.breaker.allow():
            _discard(command)
            raise self._away()
        try:
            result = await command
        except (RedisError, OSError, TimeoutError) as error:
            self.breaker.failed()
            raise self._away() from error
        except asyncio.CancelledError:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return result

    async def check(self) -> None:
        """Asks past the breaker. Raises Unavailable."""
        try:
            await self.redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise self._away() from error

    def _away(self) -> Unavailable:
        return Unavailable(f"The {self.what} does not answer.", retry_after=1)


def _discard(command: Awaitable[object]) -> None:
    """Ends a coroutine that is not awaited after all, which would else warn."""
    if asyncio.iscoroutine(command):
        command.close()
