"""The legs of a search: asks both at the same time, and waits for them within the deadline."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import DeadlineExceeded, SearchError
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.wire.recall import Mode
from services.recall.domain import DocumentIndex, Found, Index, QueryEncoder, Vector

logger = logging.getLogger(__name__)

_LEG_SHARE = 0.9
"""Share of the remaining time that the legs have; the rest is for answering from a leg that came in
time."""

RunningLeg = asyncio.Task[Sequence[Found]]
Encoding = asyncio.Task[Vector | None]


@dataclass(frozen=True, slots=True)
class Legs:
    """Starts the parts of one search, as tasks that its deadline ends."""

    source: DocumentIndex
    encoder: QueryEncoder
    deadline: Deadline
    watch: Stopwatch

    def encoding(self, fingerprint: str | None, query: str, mode: Mode) -> Encoding:
        """Encodes the query, if it has to be encoded and its encoder is known."""

        async def encode() -> Vector | None:
            if fingerprint is None or mode is Mode.LEXICAL:
                return None
            with self.watch.stage("encode"):
                return await self.encoder.encode_query(fingerprint, query, self.deadline)

        return asyncio.create_task(encode())

    def dense(self, index: Index, encoding: Encoding, n: int, expression: str) -> RunningLeg:
        """Finds n documents by the vector of the query."""

        async def find() -> Sequence[Found]:
            vector = await encoding
            assert vector is not None  # noqa: S101 - this leg runs in the modes that encode
            with self.watch.stage("dense") as lap:
                found = await self.source.nearest(index, vector, n, expression, self.deadline)
                lap.candidates = len(found)
            return found

        return asyncio.create_task(find())

    def lexical(
        self, index: Index, ways: Sequence[Sequence[str]], n: int, expression: str
    ) -> RunningLeg:
        """Finds n documents by the words of the query's wordings."""

        async def find() -> Sequence[Found]:
            with self.watch.stage("lexical") as lap:
                found = await self.source.matching(index, ways, n, expression, self.deadline)
                lap.candidates = len(found)
            return found

        return asyncio.create_task(find())

    def pins(
        self, index: Index, ids: Sequence[str], expression: str
    ) -> asyncio.Task[list[Found] | None]:
        """Fetches the pinned documents that match the request; None if they cannot be fetched."""

        async def fetch() -> list[Found] | None:
            if not ids:
                return []
            try:
                return await self.source.there(index, ids, expression, self.deadline)
            except SearchError as error:
                logger.warning("the pinned documents could not be read", extra={"code": error.code})
                return None

        return asyncio.create_task(fetch())


async def first_come(
    legs: Mapping[str, RunningLeg], deadline: Deadline
) -> dict[str, Sequence[Found]]:
    """The legs that answered in time, or the first of them soon after; the others are cancelled.

    Raises the error of the first leg if none answered.
    """
    try:
        await _ended(legs, deadline)
    finally:
        for task in legs.values():
            task.cancel()
    found: dict[str, Sequence[Found]] = {}
    errors: list[SearchError] = []
    for name, task in legs.items():
        if not task.done():
            errors.append(DeadlineExceeded("The index did not answer within the budget."))
            continue
        try:
            found[name] = task.result()
        except SearchError as error:
            logger.warning("a leg of recall failed", extra={"leg": name, "code": error.code})
            errors.append(error)
    if not found:
        raise errors[0]
    return found


async def _ended(legs: Mapping[str, RunningLeg], deadline: Deadline) -> None:
    """Returns when all legs have ended; otherwise at the deadline if one has found something, else
    when the first one does."""
    _, late = await asyncio.wait(legs.values(), timeout=deadline.remaining() * _LEG_SHARE)
    while late and not any(map(_has_found, legs.values())):
        at_last = deadline.at_last().remaining()
        _, late = await asyncio.wait(late, timeout=at_last, return_when=asyncio.FIRST_COMPLETED)
        if not at_last:
            return


def _has_found(leg: RunningLeg) -> bool:
    return leg.done() and leg.exception() is None
