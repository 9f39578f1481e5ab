"""What a search wants, what the index finds for it, and the ports of both."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from services.common.documents import Content
from services.common.request_context import Deadline
from services.common.versions import server_time_of
from services.common.wire.boosts import Boost
from services.common.wire.facets import FacetCounts, FacetWanted
from services.common.wire.passages import ShownPassages
from services.common.wire.recall import RulesOfQuery

Vector = npt.NDArray[np.float32]
Key = tuple[str, int]
"""Id and version of a document."""


@dataclass(frozen=True, slots=True)
class Index:
    """A searchable collection, as its server describes it."""

    physical: str
    encoder: str
    """Fingerprint of the encoder that filled it."""
    analyzer: str
    """Identity of the word analysis that filled it."""
    lexical: bool
    """Whether the server searches it by words."""
    filters: bool = True
    """Whether its rows have the facets that filters need."""
    typed: frozenset[str] = frozenset()
    """Its columns for fields of declared types, which filters compare."""
    version: str | None = None
    """Version of the index for which it is searched; None if it is not known."""
    server_time: int | None = None
    """Time of the server up to which every write is found. None finds every write of this moment,
    for which a server of several nodes makes each search wait."""

    @classmethod
    def of_rows(cls, physical: str, version: str | None) -> "Index":
        """A physical collection whose rows are read by id and not searched."""
        return cls(physical, "", "", lexical=False).at(version)

    def at(self, version: str | None) -> "Index":
        """The same, with every write up to an index version; None means every write of this
        moment."""
        return replace(self, version=version, server_time=server_time_of(version))


class Found(NamedTuple):
    """A document that one leg found."""

    id: str
    score: float
    """Cosine in the dense leg, -1 to 1; BM25 in the lexical leg, 0 or more."""
    title: str = ""
    text: str = ""
    """Beginning of the text; title and text are empty until they were requested."""
    version: int = 0
    """Version of the document's row."""
    passages: tuple[tuple[int, float], ...] = ()
    """Numbers of its passages that were found, each with its score, best first."""
    values: tuple[str, ...] = ()
    """Texts among its metadata, those in lists too; empty as title and text are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The number of candidates that a search wants, and the members of them."""

    found: int
    """Most documents that each leg finds."""
    best: int
    """Most documents that are answered, after both legs became one order."""
    texts: bool = True
    """Whether the candidates are answered with the texts that rank reads."""
    documents: bool = False
    """Whether the whole documents are answered too."""
    every: bool = False
    """Whether all documents of both legs are named too, in their order."""
    phrases: Sequence[str] = ()
    """Phrases that the title or the text of every document must hold."""
    exclude: Sequence[str] = ()
    """Phrases that neither title nor text of a document may hold."""
    partition: str | None = None
    """Partition whose documents are found; None finds those of all."""
    rules: RulesOfQuery = field(default_factory=RulesOfQuery)
    """Query rules of the owner for the query."""
    boosts: Sequence[Boost] = ()
    """Fields that raise or lower scores."""
    facets: Sequence[FacetWanted] = ()
    """Fields whose values are counted over all that was found."""


class DocumentIndex(Protocol):
    """An index that finds documents."""

    async def resolve(
        self, collection: str, deadline: Deadline, version: str | None = None
    ) -> Index:
        """The index behind a name. Raises CollectionNotFound, IndexUnavailable.

        The server is asked once for an index version: another index answers to the name only
        together with a new version.
        """

    async def of_physical(self, physical: str, deadline: Deadline) -> Index:
        """A physical collection, whether a name points to it or not.

        Raises CollectionNotFound, IndexUnavailable.
        """

    async def nearest(
        self, index: Index, vector: Vector, n: int, expression: str, deadline: Deadline
    ) -> Sequence[Found]:
        """The n documents of the highest cosine, best first. Raises IndexUnavailable."""

    async def matching(
        self,
        index: Index,
        ways: Sequence[Sequence[str]],
        n: int,
        expression: str,
        deadline: Deadline,
    ) -> Sequence[Found]:
        """The n documents of the highest BM25, best first. Raises IndexUnavailable.

        `ways` are the words of each wording of the query; the one that fits a document best counts.
        """

    async def there(
        self, index: Index, ids: Sequence[str], expression: str, deadline: Deadline
    ) -> list[Found]:
        """Those of the documents that are there and match an expression, in the order of the ids,
        with the score 0. Raises IndexUnavailable, DeadlineExceeded."""

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        """The same with title, values, and text, as much of it as rank reads, the best passages
        before the rest; what was deleted meanwhile stays without. Raises IndexUnavailable,
        DeadlineExceeded.
        """

    async def passages(
        self, index: Index, numbers: Mapping[str, Sequence[int]], deadline: Deadline
    ) -> Mapping[str, ShownPassages]:
        """Passages of bodies by document, those of the numbers that are there, or else the first
        one.

        Documents without a body are left out. Raises IndexUnavailable, DeadlineExceeded.
        """

    def bodies(
        self, index: Index, ids: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[Mapping[str, str]]:
        """The bodies of those of the documents that have one, of as many at a time as are to be in
        memory.

        Raises IndexUnavailable, DeadlineExceeded.
        """

    async def words(self, index: Index, deadline: Deadline) -> list[str] | None:
        """The user dictionary that an index was filled with; None if there is none beside it.

        Raises IndexUnavailable, DeadlineExceeded.
        """

    async def documents(
        self,
        physical: str,
        keys: Sequence[tuple[str, int | None]],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[Content]:
        """The documents of these ids that are there, in any order.

        With the version at which a search has just found one, it may come from memory as it was
        then. `server_time` as in Index. Raises IndexUnavailable, DeadlineExceeded.
        """

    async def vector(self, index: Index, identity: str, deadline: Deadline) -> Vector | None:
        """The stored vector of a document, None if it is not there.

        Raises IndexUnavailable, DeadlineExceeded.
        """


class Counter(Protocol):
    """Counts the values of fields."""

    async def counts(
        self,
        index: Index,
        keys: Sequence[Key],
        facets: Sequence[FacetWanted],
        deadline: Deadline,
    ) -> FacetCounts:
        """The counts over these documents; deleted ones are left out.

        Raises InvalidRequest for a field that no document has, IndexUnavailable, DeadlineExceeded.
        """


class QueryEncoder(Protocol):
    """Turns queries into vectors."""

    async def encode_query(self, fingerprint: str, query: str, deadline: Deadline) -> Vector:
        """The vector float32 [dimension], of unit length, by the encoder of this fingerprint.

        Raises EncoderMismatch if it is not installed, Unavailable, DeadlineExceeded.
        """


def in_order(ids: Iterable[str], documents: Iterable[Content]) -> list[Content]:
    """The documents in the order of the ids, each once; unknown ids are left out."""
    stored = {document.id: document for document in documents}
    return [stored[identity] for identity in dict.fromkeys(ids) if identity in stored]
