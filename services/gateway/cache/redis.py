"""The cache's level in Redis, which all replicas share, and its locks on keys.

Every method answers as if the cache were empty while Redis is away: a search goes on without it.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from services.common.errors import Unavailable
from services.gateway.cache.policy import Entry
from services.gateway.stores.redis_client import GuardedRedis

# The braces put the entry and the lock of a key on one node of a Redis Cluster.
_ENTRY = "xunwen:answer:{%s}"
_LOCKS = {False: "xunwen:flight:{%s}", True: "xunwen:flight:{%s}:patient"}
"""By whether the holder is patient: who is not need not wait for one that lets others pass."""

# Only the holder releases a lock: after its lock has ended, another one may hold the key.
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class NotLocked(Enum):
    """Why a lock was not given."""

    BUSY = auto()
    """Another process holds it."""
    REDIS_AWAY = auto()
    """Nobody coordinates while Redis is away."""


@dataclass(slots=True)
class RedisCache:
    """Entries and locks by key."""

    cache: GuardedRedis
    _storing: dict[str, "asyncio.Task[None]"] = field(default_factory=dict, init=False)
    """The newest entry of each key that is on its way."""

    async def get(self, key: str) -> Entry | None:
        """The stored entry; None if there is none or if it cannot be read."""
        command: Any = self.cache.redis.get(_ENTRY % key)
        try:
            packed = await self.cache.call(command)
        except Unavailable:
            return None
        return None if packed is None else Entry.unpack(packed)

    async def put(self, key: str, entry: Entry, kept_seconds: float) -> None:
        """Keeps an entry for so many seconds."""
        command: Any = self.cache.redis.set(_ENTRY % key, entry.pack(), px=int(kept_seconds * 1000))
        try:
            await self.cache.call(command)
        except Unavailable:
            return

    def store(self, key: str, entry: Entry, kept_seconds: float) -> None:
        """Keeps an entry soon, so that an answer need not wait until Redis has it.

        Entries of one key are stored in the order of the calls.
        """
        before = self._storing.get(key)

        async def put() -> None:
            if before is not None:
                await asyncio.wait([before])
            await self.put(key, entry, kept_seconds)

        task = asyncio.create_task(put())
        self._storing[key] = task

        def stored(done: "asyncio.Task[None]") -> None:
            if self._storing.get(key) is done:
                del self._storing[key]

        task.add_done_callback(stored)

    async def stored(self, *keys: str) -> None:
        """Returns when what was to be stored under these keys, or any key if none is given, is."""
        storing = [self._storing[key] for key in keys or [*self._storing] if key in self._storing]
        if storing:
            await asyncio.wait(storing)

    async def lock(
        self, key: str, seconds: float, *, patient: bool = False
    ) -> tuple[str | NotLocked, Entry | None]:
        """The token of a lock that ends by itself after `seconds`, or why there is none; and what
        was kept when it was given."""
        token = secrets.token_hex(16)
        pipe = self.cache.redis.pipeline(transaction=False)
        pipe.set(_LOCKS[patient] % key, token, nx=True, px=max(1, int(seconds * 1000)))
        pipe.get(_ENTRY % key)
        try:
            locked, packed = await self.cache.call(pipe.execute())
        except Unavailable:
            return NotLocked.REDIS_AWAY, None
        entry = None if packed is None else Entry.unpack(packed)
        return (token if locked else NotLocked.BUSY), entry

    async def unlock(self, key: str, token: str, *, patient: bool = False) -> None:
        """Ends a lock before its time, after its entry is stored: who waits for it looks then."""
        await self.stored(key)
        command: Any = self.cache.redis.eval(_UNLOCK, 1, _LOCKS[patient] % key, token)
        try:
            await self.cache.call(command)
        except Unavailable:
            return  # the lock ends by itself

    async def look(self, key: str, *, patient: bool = False) -> tuple[Entry | None, bool]:
        """The entry, and whether the key is locked."""
        pipe = self.cache.redis.pipeline(transaction=False)
        pipe.get(_ENTRY % key)
        pipe.exists(_LOCKS[patient] % key)
        try:
            packed, locked = await self.cache.call(pipe.execute())
        except Unavailable:
            return None, False
        return (None if packed is None else Entry.unpack(packed)), bool(locked)
