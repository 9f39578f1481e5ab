"""Columns of documents that are written for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.recall.fields.columns import Columns


def filled(content: Sequence[Mapping[str, Any]]) -> Columns:
    """The columns of documents `d0`, `d1` and so on with these fields."""
    columns = Columns()
    for place, fields in enumerate(content):
        columns.put(f"d{place}", 1, fields)
    return columns
