"""Reads the state Redis; the reads of many callers share one round trip.

A read that arrives during a round trip goes into the next one, so every caller gets a value that
was read after its call. A search that begins after a write was acknowledged therefore sees the
version that the write set.
"""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from services.common.ending import ended
from services.common.errors import Unavailable
from services.gateway.stores.redis_client import GuardedRedis

logger = logging.getLogger(__name__)

_Waiters = dict[str, list["asyncio.Future[bytes | None]"]]


@dataclass(slots=True)
class StateReader:
    """Batches the reads of single keys."""

    state: GuardedRedis
    _waiting: _Waiters = field(default_factory=lambda: defaultdict(list))
    _rounds: "asyncio.Task[None] | None" = None

    async def get(self, key: str) -> bytes | None:
        """The value of a key, or None. Raises Unavailable."""
        if self._rounds is not None and self.state.breaker.open:
            # The round trip under way probes a Redis that failed; nobody else waits for its end.
            raise self.state.away()
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._run_rounds())
        return await future

    async def get_all(self, *keys: str) -> list[bytes | None]:
        """The values of several keys, from one round trip. Raises Unavailable."""
        return await asyncio.gather(*map(self.get, keys))

    async def _run_rounds(self) -> None:
        try:
            while self._waiting:
                waiters, self._waiting = self._waiting, defaultdict(list)
                await self._round(waiters)
        finally:
            self._rounds = None
            # Only when the reader is closed does anybody still wait.
            for waiter in _pending(self._waiting, *self._waiting):
                waiter.cancel()

    async def _round(self, waiters: _Waiters) -> None:
        command: Any = self.state.redis.mget(list(waiters))
        try:
            values: list[bytes | None] = await self.state.call(command)
        except Unavailable as error:
            for waiter in _pending(waiters, *waiters):
                waiter.set_exception(Unavailable(error.detail, retry_after=error.retry_after))
        except asyncio.CancelledError:
            for waiter in _pending(waiters, *waiters):
                waiter.cancel()
            raise
        except Exception:
            logger.exception("the client of the state store failed")
            for waiter in _pending(waiters, *waiters):
                waiter.set_exception(self.state.away())
        else:
            for key, value in zip(waiters, values, strict=True):
                for waiter in _pending(waiters, key):
                    waiter.set_result(value)

    async def aclose(self) -> None:
        """Cancels the running round trip and its waiters."""
        if self._rounds is not None:
            await ended([self._rounds])


def _pending(waiters: _Waiters, *keys: str) -> list["asyncio.Future[bytes | None]"]:
    return [waiter for key in keys for waiter in waiters[key] if not waiter.done()]
