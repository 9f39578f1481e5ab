"""Query rules: synonyms, stop words, and pinned and hidden documents of single queries, set by the
owner of a collection.

Synonyms and stop words change which words a query is looked up by; pinned documents come before the
others of a query, and hidden ones are not found by it. All rules of a collection are one document
in the state Redis, replaced as a whole, with a version that is part of the cache's keys.
"""

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.common.documents import DocumentId
from services.common.patterns import NOT_BLANK
from services.common.wire.recall import MAX_HIDDEN, MAX_PINNED, MAX_QUERY_CHARS, MAX_STOP_WORDS

MAX_SYNONYMS = 5_000
MAX_QUERIES = 2_000
MAX_WORDS = 10
"""Most words of one group of synonyms."""


def rules_key(collection: str) -> str:
    """The Redis key of the rules of a collection, a StoredRules."""
    return f"xunwen:query-rules:{collection}"


def rules_version_key(collection: str) -> str:
    """The Redis key of the version of these rules, which is read for every search."""
    return f"xunwen:query-rules-version:{collection}"


Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NOT_BLANK)]
"""A word, an abbreviation or an expression of several words."""


class Synonyms(BaseModel):
    """Words that stand for one another, or, with `also`, words that others may replace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: list[Word] = Field(min_length=1, max_length=MAX_WORDS)
    also: list[Word] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_WORDS,
        description="Words by which a query with one of `words` is looked up too, but not the"
        " other way round; without it, each of `words` stands for the others",
    )

    @model_validator(mode="after")
    def _has_another(self) -> "Synonyms":
        if self.also is None and len(self.words) < 2:
            raise ValueError("a group needs two words, or `also` for one direction")
        return self


def _group(value: Any) -> Any:
    return {"words": value} if isinstance(value, list) else value


_Alike = Annotated[list[Word], Field(min_length=2, max_length=MAX_WORDS)]
"""A group that is given as the list of its words."""


class QueryPins(BaseModel):
    """The documents that one query finds first, and those that it does not find."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        pattern=NOT_BLANK,
        description="The whole query, in any spelling of the same characters",
    )
    pinned: list[DocumentId] = Field(
        default_factory=list,
        max_length=MAX_PINNED,
        description="Ids of documents, the first one first",
    )
    hidden: list[DocumentId] = Field(default_factory=list, max_length=MAX_HIDDEN)

    @model_validator(mode="after")
    def _means_something(self) -> "QueryPins":
        ids = [*self.pinned, *self.hidden]
        if not ids:
            raise ValueError("a query needs an id in `pinned` or `hidden`")
        if len(set(ids)) < len(ids):
            twice = next(one for one in ids if ids.count(one) > 1)
            raise ValueError(f"the id {twice[:80]!r} is named twice for one query")
        return self


class QueryRules(BaseModel):
    """The query rules of a collection. Documents with their ids need not exist yet."""

    model_config = ConfigDict(extra="forbid")

    synonyms: list[
        Annotated[Synonyms, BeforeValidator(_group, json_schema_input_type=Synonyms | _Alike)]
    ] = Field(
        default_factory=list,
        max_length=MAX_SYNONYMS,
        description="Groups of words, as lists or objects",
        examples=[[["卷积神经网络", "CNN"], {"words": ["手机"], "also": ["智能手机"]}]],
    )
    stop_words: list[Word] = Field(
        default_factory=list,
        max_length=MAX_STOP_WORDS,
        description="Words that are left out of queries, unless a query has no others",
    )
    queries: list[QueryPins] = Field(
        default_factory=list,
        max_length=MAX_QUERIES,
        description="Pinned and hidden documents of single queries",
    )


class QueryRulesUpdate(QueryRules):
    """Rules that replace those of a collection."""

    version: str | None = Field(
        default=None,
        max_length=40,
        description="The version that the change is based on; where another one is stored by then,"
        " the change is refused with 409. Without it, what is stored is replaced in any case",
    )


class StoredRules(QueryRules):
    """The query rules of a collection."""

    version: str = Field(
        default="",
        description="Version of the rules, which each change replaces; empty if there never were"
        " rules",
    )


class RulesWritten(BaseModel):
    """The result of a change of the rules."""

    version: str = Field(description="Version of the rules from now on")
    unknown_ids: list[str] = Field(
        description="Ids in the rules that no document has at present, at most 100 of them"
    )
