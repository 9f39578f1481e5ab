"""Reads of the state Redis, many callers' in one round trip.

A read that comes while another is under way goes into the next round trip, never into the one
under way: what a caller gets was read after it asked. So a search that begins after a write was
acknowledged sees the version which that write set.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import Unavailable
from services.gateway.redis_client import GuardedRedis

_Waiters = dict[str, list["asyncio.Future[bytes | None]"]]


@dataclass(slots=True)
class StateReader:
    state: GuardedRedis
    _waiting: _Waiters = field(default_factory=lambda: defaultdict(list))
    _rounds: "asyncio.Task[None] | None" = None

    async def get(self, key: str) -> bytes | None:
        """The value, or None. Raises Unavailable."""
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._run_rounds())
        return await future

    async def _run_rounds(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, defaultdict(list)
                await self._round(asked)
        finally:
            self._rounds = None

    async def _round(self, asked: _Waiters) -> None:
        read: Any = self.state.redis.mget(list(asked))
        try:
            values: list[bytes | None] = await self.state.call(read)
        except Unavailable as error:
            for waiter in _open(asked, *asked):
                waiter.set_exception(Unavailable(error.detail, retry_after=error.retry_after))
        except asyncio.CancelledError:
            for waiter in _open(asked, *asked):
                waiter.cancel()
            raise
        else:
            for key, value in zip(asked, values, strict=True):
                for waiter in _open(asked, key):
                    waiter.set_result(value)

    async def aclose(self) -> None:
        """Ends the round trip under way."""
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)


def _open(asked: _Waiters, *keys: str) -> list["asyncio.Future[bytes | None]"]:
    return [waiter for key in keys for waiter in asked[key] if not waiter.done()]
