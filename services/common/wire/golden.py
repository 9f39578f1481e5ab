"""Golden queries: queries of a collection whose right documents its owner knows."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.common.documents import STORED_ID_PATTERN
from services.common.wire.recall import MAX_QUERY_CHARS

MAX_GOLDEN = 2_000

Id = Annotated[str, Field(pattern=STORED_ID_PATTERN)]


class GoldenQuery(BaseModel):
    """A query with the documents that answer it."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    ids: list[Id] = Field(min_length=1, max_length=100)


class GoldenQueries(BaseModel):
    """The golden queries of a collection, which a rebuild must answer as well as before."""

    model_config = ConfigDict(extra="forbid")

    queries: list[GoldenQuery] = Field(max_length=MAX_GOLDEN)
