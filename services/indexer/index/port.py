"""What the indexer asks of a vector database."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from services.common.collection import PhysicalName
from services.indexer.rows import Row, Vector


class VectorIndex(Protocol):
    """Synchronous and thread-safe; every method raises IndexUnavailable, and Overloaded when
    the server asks for less load. Collections are named by their physical name."""

    @property
    def needs_flush(self) -> bool:
        """Whether rows are searched slowly until they are flushed, as by milvus-lite."""

    def check(self) -> None: ...

    def aliases(self) -> dict[str, PhysicalName]:
        """User's name -> the collection that answers under it."""

    def physicals(self) -> list[PhysicalName]:
        """All collections that are ours, whatever points at them."""

    def resolve(self, name: str) -> PhysicalName | None: ...

    def create(self, physical: PhysicalName, dimension: int, documents: int) -> None:
        """Creates, indexes and loads it, for about so many documents (0: nobody knows); no
        error if it exists."""

    def point(self, name: str, physical: PhysicalName) -> None:
        """Lets the user's name mean this collection, at once for all readers."""

    def drop(self, physical: PhysicalName) -> None: ...

    def unpoint(self, name: str) -> None: ...

    def load(self, physical: PhysicalName) -> None: ...

    def lexical(self, physical: PhysicalName) -> bool: ...

    def dimension(self, physical: PhysicalName) -> int: ...

    def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None: ...

    def delete(self, physical: PhysicalName, ids: Sequence[str]) -> None: ...

    def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        """The versions of those ids that are there."""

    def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]: ...

    def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        """Ids of at most `limit` documents that a compiled filter selects."""

    def scan(self, physical: PhysicalName) -> Iterator[Row]: ...

    def nearest(self, physical: PhysicalName, vectors: Sequence[Vector], k: int) -> list[list[str]]:
        """Ids of the k nearest documents per vector."""

    def count(self, physical: PhysicalName, version: int | None = None) -> int:
        """Documents that can be found now; with a version, those that carry it."""

    def flush(self, physical: PhysicalName) -> None: ...


def slices(rows: Sequence[Row], size: int) -> Iterable[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
