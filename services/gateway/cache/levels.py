"""The two levels of the cache as one: this process, then Redis."""

import random
import time
from dataclasses import dataclass

from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import Entry, Lifetimes, Phase
from services.gateway.cache.redis import RedisCache


@dataclass(slots=True)
class AnswerCache:
    """Finds and stores answers by key. While Redis is away, only this process's level is used."""

    local: LocalCache
    redis: RedisCache
    lifetimes: Lifetimes

    def fresh_here(self, key: str) -> Entry | None:
        """The entry, if this process has a fresh one."""
        return self.local.fresh(key)

    async def find(self, key: str) -> Entry | None:
        """The newest entry of both levels; Redis is asked unless this process has a fresh one."""
        entry = self.local.get(key)
        if entry is not None and entry.phase(time.time()) is Phase.FRESH:
            return entry
        remote = await self.redis.get(key)
        if remote is not None and (entry is None or remote.stored_at > entry.stored_at):
            self.local.put(key, remote)
            return remote
        return entry

    def keep(self, key: str, body: bytes, index: str) -> None:
        """Stores an answer in this process, and soon in Redis; its age begins now."""
        fresh = self.lifetimes.jittered(random.random())
        entry = Entry(body, time.time(), fresh, self.lifetimes.stale, index)
        self.local.put(key, entry)
        self.redis.store(key, entry, self.lifetimes.kept)
