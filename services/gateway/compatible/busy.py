"""Asks a model's service for the portions of a call while searches ask it too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import BaseModel

from services.common.calls.client import ServiceClient
from services.common.errors import DeadlineExceeded, Overloaded
from services.common.server.resources import opened

Answer = TypeVar("Answer", bound=BaseModel)

_ATTEMPTS = 3
"""Number of times that a portion is asked for; each may take the whole budget of a call of the
service."""
_RETRY_SECONDS = 10.0


@dataclass(slots=True)
class ModelCalls:
    """The calls of many texts of one service.

    They take at most half of the connections, since a search that finds none is late.
    """

    service: ServiceClient
    patience: float = 30.0
    """Longest time in seconds that a portion waits for its turn."""
    _turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._turns = asyncio.Semaphore(max(1, self.service.connections // 2))

    async def answer(self, path: str, answer: type[Answer], body: BaseModel) -> Answer:
        """The answer to a portion, which is asked for again if it came too late: a call may be of
        many portions, and what was done for the others would be lost.

        Raises Overloaded if the model stays busy, and what `ServiceClient.ask` raises.
        """
        async with self._turn():
            for _ in range(_ATTEMPTS):
                try:
                    return await self.service.ask("POST", path, answer, body=body)
                except DeadlineExceeded:
                    continue
        raise _busy()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.patience):
                await self._turns.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            yield
        finally:
            self._turns.release()


def _busy() -> Overloaded:
    return Overloaded(
        "The model is busy with other calls; try again shortly, or send fewer texts at once.",
        retry_after=_RETRY_SECONDS,
    )


Encoding = Annotated[ModelCalls, opened("encoding")]
Reranking = Annotated[ModelCalls, opened("reranking")]
