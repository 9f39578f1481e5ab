"""Rows for the tests of engines."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from services.common.documents import Content
from services.indexer.rows import Row, Vector

DIMENSION = 4


def unit(number: int) -> Vector:
    """A vector of unit length that turns with the number, so that neighbours are near."""
    angle = number / 50
    return np.array([np.cos(angle), np.sin(angle), 0, 0], dtype=np.float32)


def row(
    identity: str,
    number: int = 0,
    *,
    title: str = "题",
    words: str = "题",
    fields: Mapping[str, Any] | None = None,
) -> Row:
    """A row of four dimensions; `fields` may be what no version accepts any more."""
    document = Content.model_construct(id=identity, title=title, fields=dict(fields or {}))
    return Row(document, words, unit(number))
