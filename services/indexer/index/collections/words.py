"""The word analyses of collections: those of their indexes, and the one of the next index."""

import asyncio
from collections.abc import Sequence

from services.common.collection import PhysicalName
from services.common.errors import InvalidRequest, Unavailable
from services.common.text import WordAnalyzer
from services.common.wire.dictionary import MAX_BYTES
from services.indexer.dictionaries import Dictionaries
from services.indexer.index.collections.records import CollectionRecords


class WordAnalyses:
    """Finds word analyses. Every method raises Unavailable while storage is away."""

    def __init__(self, dictionaries: Dictionaries, records: CollectionRecords) -> None:
        self._dictionaries = dictionaries
        self._records = records

    async def of(self, physical: PhysicalName) -> WordAnalyzer | None:
        """The analyzer that an index is filled with; None if its words are not known here."""
        return await self.named(physical.name, physical.analyzer)

    async def named(self, collection: str, identity: str) -> WordAnalyzer | None:
        """The analyzer of this identity; None if its words are not known here."""
        known = self._dictionaries.analyzers.known(identity)
        if known is not None:
            return known
        return await asyncio.to_thread(self._dictionaries.analyzer, collection, identity)

    async def wanted(self, collection: str) -> WordAnalyzer:
        """The analyzer of a collection's next index."""
        identity = (await self._records.read(collection)).dictionary
        if identity is None:
            return self.by_files(collection)
        analyzer = await self.named(collection, identity)
        if analyzer is None:
            raise Unavailable(
                f"The dictionary of collection {collection!r} is not in the indexer's storage any"
                " more, damaged there, or of an earlier version of Xunwen; set its words again with"
                f" PUT /v1/collections/{collection}/dictionary."
            )
        return analyzer

    def by_files(self, collection: str) -> WordAnalyzer:
        """The analyzer of a collection whose owner set no words."""
        return self._dictionaries.analyzers.of(collection)

    async def checked(self, words: Sequence[str]) -> WordAnalyzer:
        """The analyzer with these words. Raises InvalidRequest."""
        size = sum(len(word.encode()) + 1 for word in words)
        if size > MAX_BYTES:
            raise InvalidRequest(f"The words have {size:,} bytes, at most {MAX_BYTES:,} fit.")
        for word in words:
            if not any(map(str.isalnum, word)):
                raise InvalidRequest(
                    f"words: {word[:40]!r} holds no letter, digit or Chinese character, so no text"
                    " is cut at it."
                )
        return await asyncio.to_thread(self._dictionaries.analyzers.made, words)

    async def keep(self, collection: str, analyzer: WordAnalyzer) -> None:
        """Stores the words of an analyzer, if it has words of a user."""
        if analyzer.user_words:
            await asyncio.to_thread(self._dictionaries.keep, collection, analyzer)

    async def remove(self, collection: str) -> None:
        """Removes all words of a dropped collection."""
        await asyncio.to_thread(self._dictionaries.remove, collection)
