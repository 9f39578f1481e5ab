"""The port to a vector database, as the indexer needs it."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Protocol

from services.common.collection import PhysicalName
from services.indexer.rows import Row, Vector


class VectorIndex(Protocol):
    """Collections of rows, named by their physical name, and the users' names of them.

    Every method raises IndexUnavailable, and Overloaded when the server asks for less load. One
    writer at a time is assumed (docs/adr/0009).
    """

    async def check(self) -> None:
        """Raises IndexUnavailable unless the server answers."""

    async def names(self) -> dict[str, PhysicalName]:
        """Every user's name with the collection that answers under it."""

    async def physicals(self) -> list[PhysicalName]:
        """All collections of this system, with or without a name that points to them."""

    async def resolve(self, name: str) -> PhysicalName | None:
        """The collection that answers under a user's name; None if there is none."""

    async def point(self, name: str, physical: PhysicalName) -> None:
        """Points the name to this collection, at once for all readers and durably."""

    async def unpoint(self, name: str) -> None:
        """Removes a user's name of a collection, whose rows stay."""

    async def create(
        self,
        physical: PhysicalName,
        dimension: int,
        documents: int,
        typed: Collection[str] = (),
        words: Sequence[str] = (),
    ) -> None:
        """Creates, indexes and loads a collection; does nothing if it exists.

        Its index is chosen for about `documents` documents, 0 if their number is unknown. `typed`
        are its columns for fields of declared types, `words` the user dictionary of its rows.
        """

    async def create_passages(self, physical: PhysicalName) -> None:
        """Creates the collection of the passages of a collection's documents, as their first write
        does; does nothing if it exists."""

    async def drop(self, physical: PhysicalName) -> None:
        """Deletes a collection with its rows."""

    async def load(self, physical: PhysicalName) -> None:
        """Brings a collection into memory, as searches need it; does nothing if it is there."""

    async def flush(self, physical: PhysicalName) -> None:
        """Writes and indexes the rows that a server still buffers."""

    async def unindexed(self, physical: PhysicalName) -> int:
        """The number of flushed rows, passages included, that a server has still to put into the
        vector index. Searches find fewer of the nearest ones meanwhile."""

    async def reload(self, physical: PhysicalName) -> None:
        """Brings a collection into memory again, with the rows and indexes that are finished by
        now. By itself a server would notice them only after a while."""

    async def lexical(self, physical: PhysicalName) -> bool:
        """Whether a collection can be searched by words."""

    async def typed(self, physical: PhysicalName) -> frozenset[str]:
        """A collection's columns for fields of declared types."""

    async def dimension(self, physical: PhysicalName) -> int:
        """The length of a collection's vectors."""

    async def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        """Writes rows with their passages, each whole, in the place of those with the same id.

        A search finds the passages of the old row or those of the new one.
        Rows without a version of their own get `version`. Durable when it returns. Raises
        InvalidRequest when the server refuses a row.
        """

    async def recover(self) -> set[PhysicalName]:
        """Completes writes that a dying server tore; returns the collections that were changed
        since the last call.

        Raises Unavailable too, if storage fails.
        """

    async def delete(self, physical: PhysicalName, ids: Sequence[str]) -> None:
        """Deletes the documents with these ids; unknown ids change nothing."""

    async def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        """The versions of those of the ids that exist."""

    async def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]:
        """The rows with these ids, without their words; unknown ids are left out."""

    def with_bodies(
        self, physical: PhysicalName, rows: Sequence[Row], *, vectors: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Rows that were read back, with their bodies and passages, in the same order and some at
        a time. Without `vectors` those of the passages are empty."""

    async def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        """Ids of at most `limit` documents that a compiled filter selects."""

    async def page(
        self,
        physical: PhysicalName,
        behind: str,
        limit: int,
        expression: str = "",
        *,
        vectors: bool = True,
    ) -> list[Row]:
        """At most `limit` rows behind an id, in the order of ids, that a compiled filter selects.

        Without `vectors` those of the rows are empty.
        """

    def pages(
        self, physical: PhysicalName, expression: str = "", *, vectors: bool = True
    ) -> AsyncIterator[list[Row]]:
        """The rows that a compiled filter selects, in the order of ids, some at a time."""

    def scan(self, physical: PhysicalName) -> AsyncIterator[Row]:
        """Every row with its body, in the order of ids, without its words."""

    async def nearest(
        self, physical: PhysicalName, vectors: Sequence[Vector], k: int
    ) -> list[list[str]]:
        """The ids of the k documents nearest to each vector, the nearest first."""

    async def rows_of(self, collection: str) -> int:
        """The number of rows of a collection by its own name, those of one id counted each."""

    async def count(self, physical: PhysicalName, version: int | None = None) -> int:
        """The number of documents that can be found now, or of those with the given version."""


def slices(rows: Sequence[Row], size: int) -> Iterable[Sequence[Row]]:
    """Runs of rows that have at most `size` rows and passages together. A row with more is a run by
    itself."""
    start = filled = 0
    for place, row in enumerate(rows):
        weight = 1 + len(row.passages or ())
        if place > start and filled + weight > size:
            yield rows[start:place]
            start, filled = place, 0
        filled += weight
    if start < len(rows):
        yield rows[start:]
