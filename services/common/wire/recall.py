"""gateway -> recall: POST /search, /similar and /documents."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.common.collection import NAME_PATTERN
from services.common.documents import Content, DocumentId
from services.common.patterns import NOT_BLANK
from services.common.versions import VERSION_PATTERN
from services.common.wire.boosts import MAX_BOOSTS, Boost
from services.common.wire.facets import MAX_FACETS, FacetCounts, FacetWanted
from services.common.wire.parameters import PartitionName
from services.common.wire.passages import ShownPassages
from services.common.wire.stages import Stage

MAX_QUERY_CHARS = 2_000
MAX_CANDIDATES = 10_000
MAX_PHRASES = 20
MAX_PHRASE_CHARS = 200
Phrase = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_PHRASE_CHARS, pattern=NOT_BLANK)
]
"""Words that stand together."""
MAX_SIMILAR = 100
MAX_PINNED = 20
MAX_HIDDEN = 100
MAX_STOP_WORDS = 1_000
MAX_REPLACED = 10
"""Parts of one query that synonyms stand for."""


class Mode(StrEnum):
    """The legs of recall that take part."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Replaced(BaseModel):
    """A part of a query that other words may stand for."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field(description="In folded normal form")
    by: list[str] = Field(min_length=1, description="In folded normal form")


class RulesOfQuery(BaseModel):
    """The rules of a collection for one query."""

    model_config = ConfigDict(extra="forbid")

    synonyms: list[Replaced] = Field(default_factory=list, max_length=MAX_REPLACED)
    stop_words: list[str] = Field(default_factory=list, max_length=MAX_STOP_WORDS)
    pinned: list[str] = Field(default_factory=list, max_length=MAX_PINNED)
    hidden: list[str] = Field(default_factory=list, max_length=MAX_HIDDEN)


class RecallRequest(BaseModel):
    """Asks recall for the candidates of a query."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    collection: str = Field(pattern=NAME_PATTERN)
    top_n: int = Field(
        default=1000, ge=1, le=MAX_CANDIDATES, description="Most candidates of each leg"
    )
    best: int | None = Field(
        default=None,
        ge=1,
        description="Number of candidates to answer, best first; by default `top_n`",
    )
    mode: Mode = Mode.HYBRID
    filter: dict[str, Any] | None = None
    partition: PartitionName | None = None
    texts: bool = Field(default=True, description="Whether rank is to read the candidates")
    documents: bool = Field(
        default=False, description="Whether the stored documents of the candidates are answered too"
    )
    index: str | None = Field(
        default=None,
        max_length=200,
        description="A physical collection that is searched in the place of the one that answers",
    )
    every: bool = Field(
        default=False, description="Whether all that was found is named too, as POST /arrange needs"
    )
    phrases: list[Phrase] = Field(
        default_factory=list,
        max_length=MAX_PHRASES,
        description="Phrases that title or text of each document must hold, in normal form",
    )
    exclude: list[Phrase] = Field(
        default_factory=list,
        max_length=MAX_PHRASES,
        description="Phrases that neither title nor text of a document may hold",
    )
    rules: RulesOfQuery | None = Field(
        default=None, description="Query rules of the owner for this query"
    )
    boosts: list[Boost] = Field(
        default_factory=list,
        max_length=MAX_BOOSTS,
        description="Fields that raise or lower scores",
    )
    facets: list[FacetWanted] = Field(
        default_factory=list,
        max_length=MAX_FACETS,
        description="Fields whose values are counted over all that was found",
    )
    version: str | None = Field(
        default=None,
        pattern=VERSION_PATTERN,
        description="The index version whose writes must be found; without it, all of this moment",
    )


class Candidate(BaseModel):
    """A document that recall found. Legs that did not find it leave their score None."""

    id: str
    version: int = Field(description="Version of its row; POST /documents takes it")
    title: str = Field(
        description="The title; empty without `texts`, or if it could not be fetched"
    )
    text: str = Field(
        description="The beginning of the text as rank reads it; empty as the title is"
    )
    dense: float | None = Field(default=None, description="Cosine of query and document, -1 to 1")
    lexical: float | None = Field(default=None, description="BM25 score, 0 or more")
    score: float = Field(description="Fused score with boosts, comparable within one answer only")
    wording: str | None = Field(
        default=None,
        description="Wording of the query, with synonyms in place of its words, of which the title"
        " and the text hold more than of the query itself; None if there is no such wording",
    )


class RecallResponse(BaseModel):
    """The candidates of a query, and where they come from."""

    candidates: list[Candidate] = Field(
        description="Best first; if boosts concern them and rank is to read them, also the best"
        " without boosts, so up to twice as many as were asked for"
    )
    found: int = Field(description="Documents that were found, those not answered included")
    every: list[tuple[str, int, float, float | None, float | None]] | None = Field(
        default=None,
        description="Id, version, score, dense and lexical of all of them, best first; None if not"
        " asked for",
    )
    documents: list[Content] | None = Field(
        default=None,
        description="Stored documents of the candidates in their order, without deleted ones; null"
        " if not asked for",
    )
    pinned: list[str] = Field(
        default_factory=list,
        description="Ids of the pinned documents that exist and match the request; they are the"
        " first of `candidates` and `every`",
    )
    passages: dict[str, list[int]] = Field(
        default_factory=dict,
        description="Numbers of the passages that were found, best first, of each long document"
        " among the candidates and `every`; POST /documents takes them",
    )
    shown: dict[str, ShownPassages] = Field(
        default_factory=dict, description="With `documents`: the passages of those that are long"
    )
    boosted: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="Log-odds that boosts add to a document, and its score without them, of each"
        " document that they concern",
    )
    counted: FacetCounts | None = Field(
        default=None,
        description="Counts over all that was found; None if no facets were asked for, or if their"
        " fields could not be read",
    )
    index: str = Field(description="The physical collection that answered")
    encoder: str = Field(description="Fingerprint of the encoder that filled it")
    terms: list[str] = Field(description="Words of the query, for highlights")
    stages: list[Stage]
    degraded: list[str] = Field(
        default_factory=list,
        description="Legs that did not answer; `texts`, `rules`, `boosts` and `facets` if what they"
        " need could not be fetched",
    )


class DocumentsRequest(BaseModel):
    """Asks recall for the stored documents of some ids."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(pattern=NAME_PATTERN)
    index: str | None = Field(
        default=None,
        max_length=200,
        description="The physical collection, as a RecallResponse names it; without it, the one"
        " that answers to the collection's name",
    )
    ids: list[str] = Field(min_length=1, max_length=1000)
    versions: dict[str, int] = Field(
        default_factory=dict,
        description="Versions of the rows that a search has just found, by id; these may come from"
        " memory",
    )
    passages: dict[str, list[int]] = Field(
        default_factory=dict, description="The passages wanted of documents, as a RecallResponse"
    )
    version: str | None = Field(
        default=None, pattern=VERSION_PATTERN, description="Index version, as in a RecallRequest"
    )


class DocumentsResponse(BaseModel):
    """The stored documents that were asked for."""

    documents: list[Content] = Field(
        description="In the order of the ids; without those that are not there"
    )
    shown: dict[str, ShownPassages] = Field(
        default_factory=dict,
        description="Of each long document the passages that were wanted, or the first one",
    )


class SimilarRequest(BaseModel):
    """Asks recall for the documents nearest to a stored one, by its stored vector."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(pattern=NAME_PATTERN)
    id: DocumentId
    top_n: int = Field(default=10, ge=1, le=MAX_SIMILAR)
    filter: dict[str, Any] | None = None
    partition: PartitionName | None = None


class SimilarDocument(Content):
    """A stored document with the cosine of its vector and the one that was asked about."""

    dense: float = Field(description="Cosine, -1 to 1")


class SimilarResponse(BaseModel):
    """The documents nearest to a stored one, without itself."""

    documents: list[SimilarDocument] = Field(description="Nearest first")
    index: str = Field(description="The physical collection that answered")
