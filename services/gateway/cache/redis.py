"""The cache's level in Redis, shared by all replicas, and the lock that makes a key computed once.

Every method answers as if the cache were empty while Redis is away: a search goes on without it.
"""

import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from services.common.errors import Unavailable
from services.gateway.cache.policy import Entry
from services.gateway.redis_client import GuardedRedis

_ENTRY = "xunwen:answer:"
_LOCK = "xunwen:flight:"

# Only the holder of the lock may release it: a holder that was late must not free its successor.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Lease(Enum):
    BUSY = auto()
    """Another process computes this key."""
    NO_LOCK = auto()
    """Redis is away, so nobody coordinates: compute."""


@dataclass(slots=True)
class RedisCache:
    cache: GuardedRedis

    async def get(self, key: str) -> Entry | None:
        asked: Any = self.cache.redis.get(_ENTRY + key)
        try:
            packed = await self.cache.call(asked)
        except Unavailable:
            return None
        return None if packed is None else Entry.unpack(packed)

    async def put(self, key: str, entry: Entry, kept_seconds: float) -> None:
        stored: Any = self.cache.redis.set(_ENTRY + key, entry.pack(), px=int(kept_seconds * 1000))
        try:
            await self.cache.call(stored)
        except Unavailable:
            return

    async def lease(self, key: str, seconds: float) -> str | Lease:
        """The token of a lock that ends by itself after `seconds`, or why there is none."""
        token = secrets.token_hex(16)
        asked: Any = self.cache.redis.set(
            _LOCK + key, token, nx=True, px=max(1, int(seconds * 1000))
        )
        try:
            return token if await self.cache.call(asked) else Lease.BUSY
        except Unavailable:
            return Lease.NO_LOCK

    async def release(self, key: str, token: str) -> None:
        released: Any = self.cache.redis.eval(_RELEASE, 1, _LOCK + key, token)
        try:
            await self.cache.call(released)
        except Unavailable:
            return  # it ends by itself

    async def look(self, key: str) -> tuple[Entry | None, bool]:
        """The entry as it is now, and whether somebody still computes it."""
        pipe = self.cache.redis.pipeline(transaction=False)
        pipe.get(_ENTRY + key)
        pipe.exists(_LOCK + key)
        try:
            packed, locked = await self.cache.call(pipe.execute())
        except Unavailable:
            return None, False
        return (None if packed is None else Entry.unpack(packed)), bool(locked)
