"""The writer's role: one indexer process at a time may write the index and keep the ledger.

The role is a lease in Redis that its holder renews. It guards against a second replica that a
deployment starts by mistake or overlap; within the holder, locks of that process keep order.
"""

import logging
import secrets
import time

from redis.asyncio import Redis

from services.common.errors import Unavailable
from services.common.redis.client import FAILURES

KEY = "xunwen:indexer:writer"

# These are scripts, because only the holder of the role may prolong it or give it up. A value of
# another type names no holder and is replaced.
_RENEW = """
local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'string' and holder ~= ARGV[1] then return 0 end
local last = redis.pcall('GET', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1])
if last ~= false and last ~= ARGV[1] then return 2 end
return 1
"""
_TAKEN_OVER = 2
_RELEASE = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

logger = logging.getLogger(__name__)


class WriterRole:
    """The role as this process sees it; it ends here before it ends in Redis."""

    def __init__(self, redis: Redis, seconds: float, key: str = KEY) -> None:
        self._redis = redis
        self._seconds = seconds
        self._key = key
        self._token = secrets.token_hex(8)
        self._until = 0.0
        self.terms = 0
        """Number of times that the role was taken over from another process; after each, what this
        process knows may be stale."""

    @property
    def holds(self) -> bool:
        """Whether this process is the only writer at present."""
        return time.monotonic() < self._until

    async def check(self) -> None:
        """Raises Unavailable when this process may not write now.

        A role that ran out is asked for once more: it does so too while the process, or the whole
        machine, stands still, and then nobody else has taken it.
        """
        if not (self.holds or await self.renew()):
            raise Unavailable(
                "Writing is paused: another indexer holds the writer's role, or Redis is away."
                " Try again in a few seconds.",
                retry_after=2,
            )

    async def renew(self) -> bool:
        """Takes or prolongs the role; False when another process has it or Redis is away."""
        asked = time.monotonic()
        try:
            milliseconds = int(self._seconds * 1000)
            granted = await self._redis.eval(
                _RENEW, 2, self._key, f"{self._key}:last", self._token, milliseconds
            )
        except FAILURES:
            return False
        self.terms += granted == _TAKEN_OVER
        if granted:
            self._until = asked + self._seconds * 0.8
        return bool(granted)

    async def release(self) -> None:
        """Gives the role up, so that another process can take it at once."""
        self._until = 0.0
        try:
            await self._redis.eval(_RELEASE, 1, self._key, self._token)
        except FAILURES:
            logger.info("the writer's role runs out by itself, because Redis is away")
