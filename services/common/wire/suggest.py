"""Contract between gateway and recall: POST /suggest, which completes a query that is being
typed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.versions import VERSION_PATTERN

MAX_TYPED = 100
MAX_SUGGESTIONS = 20
MAX_FREQUENT = 200


class Frequent(BaseModel):
    """A query that is asked often, with the number of times that it was asked."""

    model_config = ConfigDict(extra="forbid")

    text: str
    count: float


class SuggestRequest(BaseModel):
    """Asks for completions of a query that is being typed."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(pattern=NAME_PATTERN)
    typed: str = Field(min_length=1, max_length=MAX_TYPED)
    limit: int = Field(ge=1, le=MAX_SUGGESTIONS)
    version: str | None = Field(default=None, pattern=VERSION_PATTERN)
    frequent: list[Frequent] = Field(default_factory=list, max_length=MAX_FREQUENT)


class Suggestion(BaseModel):
    """A completion of a query that is being typed."""

    text: str
    kind: Literal["title", "keyword", "author", "query"]
    count: int = Field(
        description="Number of documents with this title, keyword or author, or of searches with"
        " this query"
    )


class Suggested(BaseModel):
    """Completions of a query, and its likely correction."""

    suggestions: list[Suggestion] = Field(description="Best first")
    did_you_mean: str | None = Field(
        description="The query with words of the collection that sound the same, where what was"
        " typed is in none of its titles and keywords"
    )
    complete: bool = Field(
        description="False while the titles of the collection are read for the first time, and if"
        " it has more than can be kept"
    )
