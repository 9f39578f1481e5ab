"""Finds the documents nearest to a stored one by its stored vector, so that nothing is encoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.common.documents import Content
from services.common.errors import DocumentNotFound
from services.common.request_context import Deadline
from services.recall.domain import DocumentIndex
from services.recall.selection import selection


@dataclass(frozen=True, slots=True)
class Similar:
    """The neighbours of a document, nearest first, each with its cosine."""

    index: str
    """Physical collection that answered."""
    documents: list[tuple[Content, float]]


async def similar(
    index: DocumentIndex,
    collection: str,
    identity: str,
    *,
    n: int,
    condition: Mapping[str, Any] | None,
    partition: str | None = None,
    deadline: Deadline,
) -> Similar:
    """The n documents nearest to a stored one, without itself; those of a partition if one is
    given.

    Raises CollectionNotFound, DocumentNotFound, InvalidFilter, Conflict, IndexUnavailable,
    DeadlineExceeded.
    """
    known = await index.resolve(collection, deadline)
    expression = selection(known, collection, condition, partition)
    vector = await index.vector(known, identity, deadline)
    if vector is None:
        raise DocumentNotFound(f"There is no document {identity!r} in collection {collection!r}.")
    # One more is asked for, since the document is its own nearest unless the filter leaves it out.
    found = await index.nearest(known, vector, n + 1, expression, deadline)
    others = [one for one in found if one.id != identity][:n]
    keys = [(one.id, one.version) for one in others]
    documents = await index.documents(known.physical, keys, known.server_time, deadline)
    stored = {each.id: each for each in documents}
    return Similar(
        known.physical, [(stored[one.id], one.score) for one in others if one.id in stored]
    )
