"""The encoders of recall, each shared by all searches of the collections that it filled."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import AsyncContextManager, Self  # noqa: UP035

from services.common.ending import ended
from services.common.engine import (
    BatchedEncoder,
    Encoder,
    PredictorOptions,
    batched_encoder,
    open_described,
)
from services.common.engine.metrics import EngineMetrics
from services.common.engine.shelf import Shelf
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.model_dir.encoders import EncoderDirectories, EncoderDirectory
from services.common.request_context import Deadline
from services.recall.domain import Vector

logger = logging.getLogger(__name__)


class _Open:
    """An encoder with the context in which it is shared."""

    batched: BatchedEncoder

    def __init__(self, context: AsyncContextManager[BatchedEncoder]) -> None:
        self._context = context

    async def open(self) -> None:
        self.batched = await self._context.__aenter__()

    async def close(self) -> None:
        await self._context.__aexit__(None, None, None)


class Encoders:
    """A QueryEncoder over several encoders, opened on demand within a bound of memory.

    Use it as an async context manager on one event loop. The default encoder is always open.
    Encoders that fit beside it are opened at the start, so that the first search of a collection
    need not wait.
    """

    def __init__(
        self,
        directories: EncoderDirectories,
        default: Encoder,
        options: PredictorOptions,
        *,
        most_bytes: int,
        queued_tokens: int,
        metrics: EngineMetrics | None = None,
    ) -> None:
        self.directories = directories
        self._options = options
        self._queued_tokens = queued_tokens
        self._metrics = metrics
        self._default = _Open(self._batched(default))
        self._shelf: Shelf[_Open] = Shelf(most_bytes - directories.default.bytes)
        self._one_at_a_time = asyncio.Lock()
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._waiting: Counter[str] = Counter()
        """Searches that wait for each encoder."""
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._default.open()
        default = self._default.batched.encoder
        if self._metrics:
            self._metrics.shows(default.manifest, default.precision)
        for directory in self.directories.others:
            if self._shelf.fits(directory.bytes):
                # The error is in the log; the other collections can be searched.
                with suppress(ModelUnavailable):
                    await self._once(directory)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await ended(self._opening.values())
        for opened in (*self._shelf.clear(), self._default):
            await opened.close()
        await asyncio.gather(*self._closing)

    async def alive(self) -> None:
        """Raises ModelUnavailable when the default encoder is stuck."""
        await self._default.batched.alive()

    async def encode_query(self, fingerprint: str, query: str, deadline: Deadline) -> Vector:
        """The unit vector of a query by one of the encoders.

        Raises EncoderMismatch, DeadlineExceeded, Overloaded, ModelUnavailable.
        """
        async with self.using(fingerprint) as batched:
            vectors, _ = await batched.encode_queries([query], deadline)
        vector: Vector = vectors[0]
        return vector

    @asynccontextmanager
    async def using(self, fingerprint: str | None) -> AsyncIterator[BatchedEncoder]:
        """An encoder that stays open while the block runs; None means the default one.

        Raises EncoderMismatch, ModelUnavailable.
        """
        directory = self.directories.of(fingerprint)
        if directory is self.directories.default:
            yield self._default.batched
            return
        opened = await self._taken(directory)
        try:
            yield opened.batched
        finally:
            self._shelf.give_back(directory.fingerprint)

    async def _taken(self, directory: EncoderDirectory) -> _Open:
        """An encoder that stays open until it is given back."""
        fingerprint = directory.fingerprint
        self._waiting[fingerprint] += 1
        try:
            while (opened := self._shelf.take(fingerprint)) is None:
                # The waiting search may give up; the encoder is opened anyway, for the next one.
                await asyncio.shield(self._once(directory))
        finally:
            self._waiting[fingerprint] -= 1
        return opened

    def _once(self, directory: EncoderDirectory) -> "asyncio.Task[None]":
        task = self._opening.get(directory.fingerprint)
        if task is None:
            task = asyncio.create_task(self._open_for_search(directory))
            self._opening[directory.fingerprint] = task
            task.add_done_callback(lambda _: self._opening.pop(directory.fingerprint, None))
        return task

    async def _open_for_search(self, directory: EncoderDirectory) -> None:
        try:
            await self._open(directory)
        except ModelInvalid as error:
            logger.exception("an encoder cannot be opened")
            raise ModelUnavailable(
                f"The encoder {directory.fingerprint} cannot be opened; recall's log says why."
            ) from error

    async def _open(self, directory: EncoderDirectory) -> None:
        async with self._one_at_a_time:
            # An encoder that was opened just before is not yet in use, and would be closed unused.
            awaited = {fingerprint for fingerprint, count in self._waiting.items() if count}
            for closed in self._shelf.make_room(directory.bytes, awaited):
                task = asyncio.create_task(closed.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            encoder = await asyncio.to_thread(open_described, directory, self._options)
            opened = _Open(self._batched(encoder))
            await opened.open()
            self._shelf.put(directory.fingerprint, opened, directory.bytes)

    def _batched(self, encoder: Encoder) -> AsyncContextManager[BatchedEncoder]:
        return batched_encoder(encoder, queued_tokens=self._queued_tokens, metrics=self._metrics)
