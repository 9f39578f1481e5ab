"""The documents of a collection that a filter and a partition select."""

from collections.abc import Mapping
from typing import Any

from services.common.filters import check_prepared, compile_filter
from services.recall.domain import Index


def selection(
    index: Index, collection: str, condition: Mapping[str, Any] | None, partition: str | None
) -> str:
    """The expression for the documents of an index, which answers to the name `collection`, that
    match a filter and lie in a partition; empty for all of them.

    Raises InvalidFilter, and Conflict if an earlier version filled the index, without the facets
    that filters need.
    """
    expression = compile_filter(condition, index.typed, partition)
    check_prepared(expression, collection, prepared=index.filters)
    return expression
