"""Collections of an indexer whose index is in memory, and whose store counts."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from services.common.collection import PhysicalName
from services.common.errors import IndexUnavailable
from services.common.fields.types import FieldKind, FieldType
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import Analyzers
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.collections import Collections
from services.indexer.store import ObjectStore
from tests.analyzers import ANALYZERS

NAME = "papers"
RECORD = f"collections/{NAME}.json"
YEAR = FieldType(type=FieldKind.NUMBER)
TENANT = FieldType(type=FieldKind.KEYWORD)


class Store(ObjectStore):
    """A store on disk that counts how often each object is read and written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

    def read(self, key: str) -> bytes:
        self.reads[key] += 1
        return super().read(key)

    def write(self, key: str, content: bytes) -> None:
        self.writes[key] += 1
        super().write(key, content)


class Index:
    """Empty collections in memory: the parts of a VectorIndex that their creation needs."""

    def __init__(self) -> None:
        self.columns: dict[PhysicalName, frozenset[str]] = {}
        self.live: dict[str, PhysicalName] = {}
        self.away = False

    async def resolve(self, name: str) -> PhysicalName | None:
        return self.live.get(name)

    async def create(
        self,
        physical: PhysicalName,
        dimension: int,
        documents: int,
        typed: Collection[str] = (),
        words: Sequence[str] = (),
    ) -> None:
        if self.away:
            raise IndexUnavailable("It was killed.")
        self.columns[physical] = frozenset(typed)

    async def names(self) -> dict[str, PhysicalName]:
        return dict(self.live)

    async def point(self, name: str, physical: PhysicalName) -> None:
        self.live[name] = physical

    async def physicals(self) -> list[PhysicalName]:
        return [*self.columns]

    async def unpoint(self, name: str) -> None:
        del self.live[name]

    async def drop(self, physical: PhysicalName) -> None:
        del self.columns[physical]

    async def typed(self, physical: PhysicalName) -> frozenset[str]:
        return self.columns[physical]

    async def count(self, physical: PhysicalName) -> int:
        return 0

    async def dimension(self, physical: PhysicalName) -> int:
        return 8

    async def lexical(self, physical: PhysicalName) -> bool:
        return True


class Versions:
    """Index versions of collections that nobody has written to."""

    async def current(self, collection: str) -> str | None:
        return None

    async def move(self, collection: str) -> str:
        return f"{1:016x}"

    async def forget(self, collection: str) -> None:
        """There is none to forget."""


@dataclass
class Role:
    """The writer's role, which was taken over from another process `terms` times."""

    terms: int = 0
    holds: bool = True

    async def check(self) -> None:
        """This process may write."""


def collections_of(
    index: Index, store: Store, encoders: EncoderDirectories, analyzers: Analyzers = ANALYZERS
) -> Collections:
    parts = cast("Any", index), store, cast("Any", Versions()), VersionClock(), encoders
    return Collections(*parts, analyzers, lambda name: 0, Role().check)
