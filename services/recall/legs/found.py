"""What a leg found, by columns: of a thousand documents, a search looks at a few."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, overload

from services.recall.domain import Found


@dataclass(frozen=True, slots=True)
class FoundColumns(Sequence[Found]):
    """Documents without texts and passages, best first; each becomes a Found when it is read."""

    ids: Sequence[str]
    scores: Sequence[float]
    versions: Sequence[int]

    @classmethod
    def of(cls, leg: Sequence[Found]) -> Self:
        """The ids, scores and versions of a leg, whatever else its documents have."""
        if isinstance(leg, cls):
            return leg
        ids, scores = [one.id for one in leg], [one.score for one in leg]
        return cls(ids, scores, [one.version for one in leg])

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Found]:
        for identity, score, version in zip(self.ids, self.scores, self.versions, strict=True):
            yield Found(identity, score, version=version)

    @overload
    def __getitem__(self, at: int) -> Found: ...

    @overload
    def __getitem__(self, at: slice) -> "FoundColumns": ...

    def __getitem__(self, at: int | slice) -> "Found | FoundColumns":
        if isinstance(at, slice):
            return FoundColumns(self.ids[at], self.scores[at], self.versions[at])
        return Found(self.ids[at], self.scores[at], version=self.versions[at])
