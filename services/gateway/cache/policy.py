"""What may be kept of an answer, under which key, and for how long. Pure: no clock, no Redis.

A key holds the index version, so an entry is about one state of its collection and can never
bring a deleted document back, however old it is. Age decides only how an entry is used:

    fresh   served as it is
    stale   served as it is, while one caller computes it again
    kept    computed again first; served only where recall is away
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from services.gateway.domain import Search


class Phase(StrEnum):
    FRESH = "fresh"
    STALE = "stale"
    KEPT = "kept"


class CacheUse(StrEnum):
    """What the caller's Cache-Control allows."""

    NORMAL = "normal"
    REFRESH = "refresh"
    """no-cache: computed anew, then kept for others."""
    NONE = "none"
    """no-store: computed anew and not kept."""


def cache_use(cache_control: str | None) -> CacheUse:
    """What a request's Cache-Control header asks for; directives we do not know are ignored."""
    if not cache_control:
        return CacheUse.NORMAL
    directives = {part.strip().lower().replace(" ", "") for part in cache_control.split(",")}
    if "no-store" in directives:
        return CacheUse.NONE
    return CacheUse.REFRESH if directives & {"no-cache", "max-age=0"} else CacheUse.NORMAL


@dataclass(frozen=True, slots=True)
class Models:
    """Fingerprints of the models that make an answer; None where not known."""

    encoder: str | None = None
    ranker: str | None = None


def canonical(search: Search) -> bytes:
    """Equal searches have equal bytes: members and filters in sorted order."""
    return orjson.dumps(_members(search), option=orjson.OPT_SORT_KEYS)


def _members(search: Search) -> Mapping[str, Any]:
    return {name: getattr(search, name) for name in Search.__slots__}


def cache_key(
    search: Search, version: str, models: Models, tenant: str, members: bytes | None = None
) -> str | None:
    """Hex digits that name the answer; None while a model that takes part is not known.

    `members` are the search's canonical bytes, where they are at hand.
    """
    ranker = models.ranker if search.rank else "-"
    if models.encoder is None or ranker is None:
        return None
    digest = hashlib.blake2b(members or canonical(search), digest_size=20)
    for part in (version, models.encoder, ranker, tenant):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds from the computation on; each includes the one before."""

    fresh: float
    stale: float
    kept: float

    def jittered(self, factor: float) -> float:
        """Seconds of freshness; `factor` in [-1, 1] moves them by up to a tenth, so that
        entries made together do not expire together."""
        return self.fresh * (1 + factor / 10)


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept answer: its JSON without the members that differ between callers."""

    body: bytes
    """From the opening brace to before the first member that differs, without a comma."""
    stored_at: float
    """Seconds since the epoch."""
    fresh_seconds: float
    stale_seconds: float

    def age(self, now: float) -> float:
        return max(0.0, now - self.stored_at)

    def phase(self, now: float) -> Phase:
        age = self.age(now)
        if age < self.fresh_seconds:
            return Phase.FRESH
        return Phase.STALE if age < self.stale_seconds else Phase.KEPT

    def pack(self) -> bytes:
        head = f"1 {self.stored_at:.3f} {self.fresh_seconds:.3f} {self.stale_seconds:.3f}\n"
        return head.encode() + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> "Entry | None":
        """None when it was not packed by this version of the code."""
        head, newline, body = packed.partition(b"\n")
        try:
            version, stored_at, fresh, stale = head.decode("ascii").split(" ")
            entry = cls(body, float(stored_at), float(fresh), float(stale))
        except ValueError:
            return None
        return entry if newline and version == "1" else None
