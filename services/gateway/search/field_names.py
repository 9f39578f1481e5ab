"""The names of collections' fields, which tell operators in a query from ordinary colons."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.request_context import Deadline

_FRESH_SECONDS = 30.0
_ASK_SECONDS = 1.0
"""Seconds that a query waits for the names at most; after that, common names replace them."""
_MOST = 1_000
"""Most collections whose field names are remembered."""


class NameSource(Protocol):
    """Recall as a source of field names."""

    async def fields(self, collection: str, deadline: Deadline) -> Sequence[str]:
        """The names of a collection's fields. Raises CollectionNotFound, Unavailable or
        DeadlineExceeded."""


@dataclass(slots=True)
class FieldNames:
    """Asks for the fields of a collection at most every half minute."""

    source: NameSource
    _known: dict[str, tuple[float, Sequence[str]]] = field(default_factory=dict, init=False)

    async def of(self, collection: str) -> Sequence[str] | None:
        """The names of a collection's fields; None if they are not known now. Raises
        CollectionNotFound."""
        asked_at, names = self._known.get(collection, (float("-inf"), None))
        if time.monotonic() - asked_at < _FRESH_SECONDS:
            return names
        try:
            names = await self.source.fields(collection, Deadline.after(_ASK_SECONDS))
        except (Unavailable, DeadlineExceeded):
            return names
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[collection] = time.monotonic(), names
        return names
