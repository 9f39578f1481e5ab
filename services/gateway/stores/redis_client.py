"""Redis behind a circuit breaker."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.asyncio import Redis

from services.common.calls.breaker import CircuitBreaker
from services.common.errors import Unavailable
from services.common.redis.client import FAILURES, fault, of_another_type

Result = TypeVar("Result")


class WrongType(Unavailable):
    """A key of a Redis that answers holds a value of another type than is stored under it."""


@dataclass(slots=True)
class GuardedRedis:
    """A Redis whose absence costs little: after three failures it is not called for a second."""

    redis: Redis
    what: str
    """Name of this Redis in messages."""
    breaker: CircuitBreaker = field(
        default_factory=lambda: CircuitBreaker(failures=3, rest_seconds=1.0)
    )
    _looking_up: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def call(self, command: Awaitable[Result]) -> Result:
        """The result of a command. Raises Unavailable where Redis does not answer, WrongType if it
        refuses the value of a key."""
        if not self.breaker.allow():
            _discard(command)
            raise self.away()
        try:
            result = await command
        except FAILURES as error:
            if of_another_type(error):
                self.breaker.succeeded()
                raise WrongType(f"The {self.what} has a value of another type there.") from error
            self.breaker.failed()
            raise self.away() from error
        except BaseException:  # A probe whose end is not reported would block all further calls.
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return result

    async def has_another_type(self, key: str) -> bool:
        """Whether a key holds something else than text, for which MGET gives nothing. Raises
        Unavailable.

        One key is looked up at a time: many calls with unknown API keys take one connection only.
        """
        async with self._looking_up:
            asked: Any = self.redis.type(key)
            return await self.call(asked) not in (b"string", b"none")

    async def check(self) -> None:
        """Pings Redis, also while the breaker refuses calls. Raises Unavailable, which says what is
        wrong."""
        try:
            await self.redis.ping()
        except FAILURES as error:
            raise Unavailable(f"The {self.what} {fault(error)}.", retry_after=1) from error

    def away(self) -> Unavailable:
        """The error for a caller that goes without this Redis."""
        return Unavailable(f"The {self.what} does not answer.", retry_after=1)


def _discard(command: Awaitable[object]) -> None:
    """Closes a coroutine that is not awaited, so that Python does not warn of it."""
    if asyncio.iscoroutine(command):
        command.close()
