"""An index of two legs and an encoder that are written for tests: either can fail or be late."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.common.errors import EncoderMismatch, SearchError
from services.common.request_context import Deadline
from services.recall.domain import Found, Index, Vector
from tests.analyzers import ANALYZERS
from tests.indexes import EmptyIndex

IDENTITY = ANALYZERS.of("c").identity


@dataclass
class FakeIndex(EmptyIndex):
    """Two legs of one document each; either can fail or take its time."""

    described: Index = field(default_factory=lambda: Index("p", "e", IDENTITY, True))
    dense_error: SearchError | None = None
    lexical_error: SearchError | None = None
    texts_error: SearchError | None = None
    lexical_seconds: float = 0.0
    cancelled: bool = False
    stored: Sequence[str] = ()
    """Ids of documents that are there."""
    ways: Sequence[Sequence[str]] = ()
    expression: str = ""

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        return None

    async def resolve(
        self, collection: str, deadline: Deadline, version: str | None = None
    ) -> Index:
        return self.described

    async def of_physical(self, physical: str, deadline: Deadline) -> Index:
        return self.described

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> list[Found]:
        if self.dense_error:
            raise self.dense_error
        return [Found("dense", 0.9)]

    async def matching(
        self,
        index: Index,
        ways: Sequence[Sequence[str]],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> list[Found]:
        self.ways = ways
        self.expression = expression
        if self.lexical_error:
            raise self.lexical_error
        try:
            await asyncio.sleep(self.lexical_seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return [Found("lexical", 7.0)]

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        if self.texts_error:
            raise self.texts_error
        return [one._replace(title=f"题 {one.id}") for one in found]

    async def there(
        self, index: Index, ids: Sequence[str], expression: str, deadline: Deadline
    ) -> list[Found]:
        if self.texts_error:
            raise self.texts_error
        return [Found(one, 0.0) for one in ids if one in self.stored]


@dataclass
class FakeEncoder:
    fingerprint: str = "e"
    error: SearchError | None = None

    async def encode_query(self, fingerprint: str, query: str, deadline: Deadline) -> Vector:
        if self.error:
            raise self.error
        if fingerprint != self.fingerprint:
            raise EncoderMismatch
        return np.ones(2, dtype=np.float32)
