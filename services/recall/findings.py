"""What the index finds for a query: its documents by leg, and the pinned ones."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.common.errors import Conflict, DeadlineExceeded, SearchError
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.text import WordAnalyzer
from services.common.wire.recall import Mode
from services.recall.domain import DocumentIndex, Found, Index, QueryEncoder, Wanted
from services.recall.legs.found import FoundColumns
from services.recall.legs.legs import Legs, RunningLeg, first_come
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.query.rules import Saying, sayings, unhidden
from services.recall.selection import selection

_WORDS_SHARE = 0.5
"""Share of the remaining time for which a search waits for the user dictionary of an index; without
it the dense leg answers alone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One search with the terms on which it is answered."""

    query: str
    collection: str
    wanted: Wanted
    mode: Mode
    condition: Mapping[str, Any] | None
    deadline: Deadline
    version: str | None = None
    """Index version whose writes must be found; None for every write of this moment."""
    physical: str | None = None
    """A physical collection that is searched in the place of the one that answers to the name."""
    watch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the index found for a query, before it is one order."""

    index: Index
    analyzer: WordAnalyzer
    said: Sequence[Saying]
    """The wordings of the query."""
    legs: Mapping[str, Sequence[Found]]
    """Documents by leg; one that failed or was late is absent, and a query without words has
    none."""
    pins: list[Found] | None
    """The pinned documents that match the request; None if they could not be fetched."""

    def versions(self) -> dict[str, int]:
        """The version of each document that was found, by id."""
        versions: dict[str, int] = {}
        for leg in map(FoundColumns.of, (*self.legs.values(), self.pins or ())):
            versions |= zip(leg.ids, leg.versions, strict=True)
        return versions


@dataclass(frozen=True, slots=True)
class Finder:
    """Asks both legs for the documents of queries; all requests share one."""

    index: DocumentIndex
    encoder: QueryEncoder
    analyzers: IndexAnalyzers
    encoders_seen: dict[str, str] = field(default_factory=dict)
    """Encoder that each collection had at its last search."""

    async def findings(self, asked: Asked) -> Findings:
        """Asks both legs.

        Raises InvalidFilter, CollectionNotFound, Conflict; and, when no leg answered, what stopped
        the first.
        """
        query, collection, wanted, mode = asked.query, asked.collection, asked.wanted, asked.mode
        at_last = asked.deadline.at_last()
        asking = Legs(self.index, self.encoder, at_last, asked.watch)
        # The query is encoded while the server describes the collection, whose encoder is mostly
        # the same as before.
        expected = self.encoders_seen.get(collection)
        encoding = asking.encoding(expected, query, mode)
        pinning: asyncio.Task[list[Found] | None] | None = None
        try:
            described = await (
                self.index.of_physical(asked.physical, at_last)
                if asked.physical
                else self.index.resolve(collection, at_last, asked.version)
            )
            index = described.at(asked.version)
            share = 1.0 if mode is Mode.LEXICAL else _WORDS_SHARE
            patience = asked.deadline.remaining() * share
            analyzer = await self.analyzers.of(collection, index, patience)
            said = sayings(query, wanted.rules, analyzer)
            if mode is Mode.LEXICAL and not _has_words(index, analyzer):
                raise self._no_words(index, collection)
            if index.encoder != expected:
                self.encoders_seen[collection] = index.encoder
                encoding.cancel()
                encoding = asking.encoding(index.encoder, query, mode)
            expression = selection(index, collection, asked.condition, wanted.partition)
            expression = unhidden(expression, wanted.rules.hidden)
            pinning = asking.pins(index, wanted.rules.pinned, expression)
            # Signs and emoji have no meaning to an encoder: documents near to them are noise.
            if not said[0].words:
                return Findings(index, analyzer, said, {}, await pinning)
            legs: dict[str, RunningLeg] = {}
            if mode is not Mode.LEXICAL:
                legs["dense"] = asking.dense(index, encoding, wanted.found, expression)
            if mode is not Mode.DENSE and _has_words(index, analyzer):
                ways = [one.words for one in said]
                legs["lexical"] = asking.lexical(index, ways, wanted.found, expression)
            found = await first_come(legs, asked.deadline)
            return Findings(index, analyzer, said, found, await pinning)
        finally:
            encoding.cancel()
            if pinning is not None:
                pinning.cancel()

    def _no_words(self, index: Index, collection: str) -> SearchError:
        """Why a collection cannot be searched by words."""
        if self.analyzers.reads(index):
            return DeadlineExceeded("The user dictionary was not read within the budget.")
        return Conflict(
            f"The collection {collection} cannot be searched by words: its Milvus has no BM25"
            " or its words were cut by another version or user dictionary. Use mode dense, or"
            " rebuild it."
        )


def _has_words(index: Index, analyzer: WordAnalyzer) -> bool:
    return index.lexical and index.analyzer == analyzer.identity
