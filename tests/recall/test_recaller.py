"""The recaller with hand-written legs: what it answers when a leg fails, is late or is absent."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from services.common.errors import (
    Conflict,
    DeadlineExceeded,
    EncoderMismatch,
    IndexUnavailable,
    ModelUnavailable,
    SearchError,
)
from services.common.request_context import Deadline
from services.common.text import Analyzers
from services.common.wire.recall import Mode
from services.recall.domain import Found, Fusion, Index, Vector
from services.recall.recaller import Recalled, Recaller

ANALYZERS = Analyzers()
IDENTITY = ANALYZERS.of("c").identity


@dataclass
class FakeIndex:
    """Two legs of one document each; either can fail or take its time."""

    described: Index = field(default_factory=lambda: Index("p", "e", IDENTITY, True))
    dense_error: SearchError | None = None
    lexical_error: SearchError | None = None
    lexical_seconds: float = 0.0
    cancelled: bool = False

    async def resolve(self, collection: str, deadline: Deadline) -> Index:
        return self.described

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        if self.dense_error:
            raise self.dense_error
        return [Found("dense", 0.9, "", "", {})]

    async def matching(
        self, index: Index, words: Sequence[str], n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        if self.lexical_error:
            raise self.lexical_error
        try:
            await asyncio.sleep(self.lexical_seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return [Found("lexical", 7.0, "", "", {})]


@dataclass
class FakeEncoder:
    fingerprint: str = "e"
    error: SearchError | None = None

    async def encode_query(self, query: str, deadline: Deadline) -> Vector:
        if self.error:
            raise self.error
        return np.ones(2, dtype=np.float32)


async def search(
    index: FakeIndex,
    encoder: FakeEncoder | None = None,
    *,
    query: str = "企业文化",
    mode: Mode = Mode.HYBRID,
    seconds: float = 10,
) -> Recalled:
    recaller = Recaller(index, encoder or FakeEncoder(), ANALYZERS, Fusion())
    return await recaller.search(
        query, "c", n=10, mode=mode, condition=None, deadline=Deadline.after(seconds)
    )


def ids(recalled: Recalled) -> set[str]:
    return {each.document.id for each in recalled.candidates}


async def test_both_legs_answer() -> None:
    recalled = await search(FakeIndex())
    assert ids(recalled) == {"dense", "lexical"}
    assert recalled.degraded == []
    assert recalled.terms == ["企业", "文化"]
    assert {stage.name for stage in recalled.stages} == {"encode", "dense", "lexical", "fuse"}


async def test_each_leg_is_usable_alone() -> None:
    dense = await search(FakeIndex(lexical_error=IndexUnavailable()), mode=Mode.DENSE)
    assert (ids(dense), dense.degraded) == ({"dense"}, [])
    lexical = await search(FakeIndex(), FakeEncoder(error=ModelUnavailable()), mode=Mode.LEXICAL)
    assert (ids(lexical), lexical.degraded) == ({"lexical"}, [])


async def test_a_failed_leg_is_named_and_the_other_answers() -> None:
    recalled = await search(FakeIndex(lexical_error=IndexUnavailable()))
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    recalled = await search(FakeIndex(), FakeEncoder(error=ModelUnavailable()))
    assert (ids(recalled), recalled.degraded) == ({"lexical"}, ["dense"])


async def test_a_late_leg_is_cancelled_and_named_within_the_budget() -> None:
    index = FakeIndex(lexical_seconds=60)
    started = time.monotonic()
    recalled = await search(index, seconds=0.2)
    await asyncio.sleep(0)
    assert time.monotonic() - started < 60
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    assert index.cancelled


async def test_no_leg_is_the_first_error() -> None:
    index = FakeIndex(dense_error=IndexUnavailable("away"), lexical_error=IndexUnavailable())
    with pytest.raises(IndexUnavailable, match="away"):
        await search(index)
    with pytest.raises(DeadlineExceeded):
        await search(FakeIndex(lexical_seconds=60), mode=Mode.LEXICAL, seconds=0.05)


async def test_a_server_without_bm25_degrades_hybrid_and_refuses_lexical() -> None:
    index = FakeIndex(Index("p", "e", IDENTITY, lexical=False))
    recalled = await search(index)
    assert (ids(recalled), recalled.degraded) == ({"dense"}, ["lexical"])
    with pytest.raises(Conflict, match="mode dense"):
        await search(index, mode=Mode.LEXICAL)


async def test_words_of_another_analysis_are_not_compared() -> None:
    recalled = await search(FakeIndex(Index("p", "e", f"{IDENTITY}d0123abcd", lexical=True)))
    assert recalled.degraded == ["lexical"]


async def test_a_collection_of_another_encoder_is_refused_in_words() -> None:
    with pytest.raises(EncoderMismatch, match="rebuild the collection"):
        await search(FakeIndex(Index("p", "other", IDENTITY, True)))


async def test_punctuation_alone_asks_no_lexical_leg() -> None:
    index = FakeIndex(lexical_error=IndexUnavailable())
    recalled = await search(index, query="？！")
    assert (ids(recalled), recalled.degraded) == ({"dense"}, [])
