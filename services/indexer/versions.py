"""Keeps the index versions in the state Redis."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from services.common.errors import QueueUnavailable
from services.common.redis.client import FAILURES, fault
from services.common.versions import new_version, version_in, version_key
from services.common.wire.query_rules import rules_key, rules_version_key

_CHECK_KEY = "xunwen:check"
_CHECK_SECONDS = 60
"""Seconds that what a check has written stays."""
_REPLICA_MILLISECONDS = 200
"""Longest time that a write waits for a replica to have its index version."""

logger = logging.getLogger(__name__)


class RedisVersions:
    """Implements the IndexVersions port. Raises QueueUnavailable while Redis is away.

    `server_time` gives the time of the index's server, None where it has none; it raises
    IndexUnavailable.
    """

    def __init__(
        self,
        redis: Redis,
        server_time: Callable[[], Awaitable[int | None]],
        *,
        replicated: bool = False,
    ) -> None:
        """`replicated` says that a replica may take the place of the server."""
        self._redis = redis
        self._server_time = server_time
        self._replicated = replicated
        self._newest: dict[str, str] = {}
        """Versions that this process has set."""
        self._moving: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held while a collection moves, so that its version never gets an earlier server time."""

    async def check(self) -> None:
        """Raises QueueUnavailable, which says what is wrong, while Redis takes no writes."""
        try:
            await self._redis.set(_CHECK_KEY, "written", ex=_CHECK_SECONDS)
        except FAILURES as error:
            raise QueueUnavailable(f"The state Redis {fault(error)}.", retry_after=2) from error

    async def current(self, collection: str) -> str | None:
        """The version of a collection, None if Redis knows none or holds something else there."""
        try:
            # Unlike GET, MGET has no error for a value of another type.
            (value,) = await self._redis.mget([version_key(collection)])
        except FAILURES as error:
            raise _away() from error
        return None if value is None else version_in(value)

    async def move(self, collection: str) -> str:
        """Gives a collection a new version, after a committed write. Raises IndexUnavailable."""
        async with self._moving[collection]:
            version = new_version(await self._server_time())
            try:
                pipe = self._redis.pipeline(transaction=False)
                pipe.set(version_key(collection), version)
                if self._replicated:
                    # WAIT is in this pipeline, since it waits for writes of its connection alone.
                    # If no replica answers in time, `restore` makes up for it.
                    pipe.wait(1, _REPLICA_MILLISECONDS)
                await pipe.execute()
                self._newest[collection] = version
            except FAILURES as error:
                raise _away() from error
        return version

    async def restore(self) -> None:
        """Sets versions again that are no longer there.

        Redis copies to its replicas after it has answered, so one that takes over may lack the
        last versions, and answers of before would count as fresh again.
        """
        names = list(self._newest)
        if not names:
            return
        try:
            there = await self._redis.mget([version_key(name) for name in names])
        except FAILURES as error:
            raise _away() from error
        for name, value in zip(names, there, strict=True):
            if value is None or (version_in(value) or "") < self._newest.get(name, ""):
                async with self._moving[name]:
                    await self._set_again(name)

    async def _set_again(self, collection: str) -> None:
        newest = self._newest.get(collection)
        current = await self.current(collection)
        if newest is None or (current is not None and current >= newest):
            return
        try:
            await self._redis.set(version_key(collection), newest)
        except FAILURES as error:
            raise _away() from error
        logger.warning("index version set again after its loss", extra={"collection": collection})

    async def forget(self, collection: str) -> None:
        """Removes the version and the query rules of a collection that was deleted."""
        self._newest.pop(collection, None)
        try:
            await self._redis.delete(
                version_key(collection), rules_version_key(collection), rules_key(collection)
            )
        except FAILURES as error:
            raise _away() from error


def _away() -> QueueUnavailable:
    return QueueUnavailable("The state Redis does not answer; try again shortly.", retry_after=2)
