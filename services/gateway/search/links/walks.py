"""Keeps the order that the pages of a search follow, from its first page on.

A search that runs again after a write may put its hits in another order, so that pages of it would
repeat documents and skip others. A walk has one order, which was made for its first page.
"""

import re
import secrets
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.errors import CursorExpired, InvalidRequest
from services.common.wire.rank import RankedHit
from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.policy import Entry

_PREFIX = "walk:"
_TOKEN = re.compile(r"([A-Za-z0-9_-]{16})\.([0-9]{1,5})")
_NAME_BYTES = 12
_FAST = 1
"""Level of compression; an order of 10,000 documents becomes about a third."""
_ROW_MEMBERS = 4
"""Number of members of a row: id, score, scores and group."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The order of one search, and the members that its pages share."""

    asked: str
    """Digest of the search that began the walk."""
    tenant: str
    index: str
    """Physical collection that answered."""
    terms: Sequence[str]
    """Words of the query, which highlights mark."""
    counts: Mapping[str, Any]
    """Members that every page of the walk has: `total`, `counted` and `groups`."""
    rows: Sequence[tuple[str, float, dict[str, float], Mapping[str, Any] | None]]
    """Id, score, scores and group of each hit, in order."""
    pinned: Sequence[str] = ()
    """Ids of the hits that the owner put first."""
    passages: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Numbers of the passages that were found of each long document, best first."""
    degraded: Sequence[str] = ()
    """Parts of the cascade that did not take part when the order was made."""

    def page(self, start: int, size: int) -> tuple[list[RankedHit], dict[str, Any] | None]:
        """The hits from an index on, and their groups by id if the walk has groups."""
        rows = self.rows[start : start + size]
        hits = [
            RankedHit.model_construct(id=identity, score=score, scores=scores)
            for identity, score, scores, _ in rows
        ]
        grouped = any(group is not None for *_, group in rows)
        return hits, {row[0]: row[3] for row in rows} if grouped else None

    def pack(self) -> bytes:
        """The stored form of the walk."""
        members = {part: getattr(self, part) for part in Walk.__slots__}
        return zlib.compress(orjson.dumps(members), _FAST)

    @classmethod
    def unpack(cls, packed: bytes) -> "Walk | None":
        """The walk of a stored form; None for one that this release cannot read, such as that of a
        later one."""
        try:
            walk = cls(**orjson.loads(zlib.decompress(packed)))
            readable = all(len(row) == _ROW_MEMBERS for row in walk.rows)
        except (TypeError, ValueError, zlib.error):
            return None
        return walk if readable else None


@dataclass(slots=True)
class Walks:
    """Stores walks in the cache, each for `seconds` after its first page was made."""

    cache: AnswerCache
    seconds: float

    async def begun(self, walk: Walk) -> str:
        """Stores a walk and returns its name."""
        name = secrets.token_urlsafe(_NAME_BYTES)
        entry = Entry(walk.pack(), time.time(), self.seconds, self.seconds, walk.index)
        self.cache.local.put(_PREFIX + name, entry)
        await self.cache.redis.put(_PREFIX + name, entry, self.seconds)
        return name

    async def at(self, cursor: str, asked: str, tenant: str) -> tuple[Walk, str, int]:
        """The walk that a cursor names, its name, and the index of the page's first hit.

        Raises CursorExpired if the walk is no longer stored or cannot be read, InvalidRequest if
        another search began it.
        """
        match = _TOKEN.fullmatch(cursor)
        entry = None
        if match is not None:
            key = _PREFIX + match[1]
            entry = self.cache.local.get(key) or await self.cache.redis.get(key)
        if match is None or entry is None or entry.age(time.time()) > self.seconds:
            raise CursorExpired()
        walk = Walk.unpack(entry.body)
        if walk is None or walk.tenant != tenant:
            raise CursorExpired()
        if walk.asked != asked:
            raise InvalidRequest(
                "cursor: it belongs to another search; repeat the request of the first page, with"
                " another `cursor` only (`top_k`, `facets` and `fields` may change)."
            )
        return walk, match[1], int(match[2])


def token(name: str, start: int, length: int) -> str | None:
    """The cursor of the page that begins at `start`; None after the last hit."""
    return f"{name}.{start}" if start < length else None
