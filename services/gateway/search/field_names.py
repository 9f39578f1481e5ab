"""The names of collections' fields, which tell operators in a query from ordinary colons."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.request_context import Deadline

_FRESH_SECONDS = 30.0
_ASK_SECONDS = 1.0
_ASK_SHARE = 0.25
"""Seconds that a query waits for the names at most, and the fraction of its budget; after that,
common names replace them."""
_MOST = 1_000
"""Most collections whose field names are remembered."""


class NameSource(Protocol):
    """Recall as a source of field names."""

    async def fields(self, collection: str, deadline: Deadline) -> Sequence[str]:
        """The names of a collection's fields. Raises CollectionNotFound, Unavailable or
        DeadlineExceeded."""


class IndexVersions(Protocol):
    """The store of versions, which each committed write moves."""

    async def current(self, collection: str) -> str | None:
        """The version of a collection, or None if nothing was ever written to it. Raises
        Unavailable."""


@dataclass(frozen=True, slots=True)
class _Names:
    names: Sequence[str]
    version: str | None
    """Index version that was read before the names."""
    asked_at: float


@dataclass(slots=True)
class FieldNames:
    """Asks for the fields of a collection after each write, and every half minute at most if
    nothing was written."""

    source: NameSource
    versions: IndexVersions
    _known: dict[str, _Names] = field(default_factory=dict, init=False)

    async def of(self, collection: str, deadline: Deadline) -> Sequence[str] | None:
        """The names of a collection's fields; None if they are not known now. Raises
        CollectionNotFound."""
        known = self._known.get(collection)
        try:
            version = await self.versions.current(collection)
        except Unavailable:
            version = known.version if known else None
        fresh_since = time.monotonic() - _FRESH_SECONDS
        if known and known.version == version and known.asked_at > fresh_since:
            return known.names
        seconds = min(_ASK_SECONDS, deadline.remaining() * _ASK_SHARE)
        try:
            names = await self.source.fields(collection, Deadline.after(seconds))
        except (Unavailable, DeadlineExceeded):
            return known.names if known else None
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[collection] = _Names(names, version, time.monotonic())
        return names
