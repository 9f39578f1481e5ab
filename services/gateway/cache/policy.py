"""How long an answer is kept and how its age decides its use. Pure: no clock, no Redis.

A key holds the index version, so an entry is about one state of its collection and can never
bring a deleted document back, however old it is. Age decides only how an entry is used:

    fresh   it is served
    stale   it is served while it is computed again
    kept    it is served only where recall is away or late
"""

from dataclasses import dataclass
from enum import StrEnum

_PACKING = "2"
"""Version of the packed form; entries of another version count as missing."""


class Phase(StrEnum):
    """The use of an entry that its age allows."""

    FRESH = "fresh"
    STALE = "stale"
    KEPT = "kept"


class CacheUse(StrEnum):
    """The use of the cache that the caller's Cache-Control allows."""

    NORMAL = "normal"
    REFRESH = "refresh"
    """no-cache: the answer is computed, then stored for others."""
    NONE = "none"
    """no-store: the answer is computed and not stored."""


def cache_use(cache_control: str | None) -> CacheUse:
    """The use of the cache that a request's Cache-Control header asks for; unknown directives are
    ignored."""
    if not cache_control:
        return CacheUse.NORMAL
    directives = {part.strip().lower().replace(" ", "") for part in cache_control.split(",")}
    if "no-store" in directives:
        return CacheUse.NONE
    return CacheUse.REFRESH if directives & {"no-cache", "max-age=0"} else CacheUse.NORMAL


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Ages in seconds at which an entry stops being fresh, stale and kept, in rising order."""

    fresh: float
    stale: float
    kept: float

    def jittered(self, factor: float) -> float:
        """Seconds of freshness, shortened by up to a tenth for a `factor` in [0, 1].

        So entries that were made together do not expire together.
        """
        return self.fresh * (1 - factor / 10)


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer in the cache, with the time of its storing and its lifetimes in seconds."""

    body: bytes
    stored_at: float
    """Time of storing, in seconds since the epoch."""
    fresh_seconds: float
    stale_seconds: float
    index: str = "-"
    """Physical collection that answered, a name without spaces; `-` if it is not known."""

    def age(self, now: float) -> float:
        """Seconds since the entry was stored; 0 if this machine's clock is behind."""
        return max(0.0, now - self.stored_at)

    def phase(self, now: float) -> Phase:
        """The phase of the entry's age at the time `now`, in seconds since the epoch."""
        age = self.age(now)
        if age < self.fresh_seconds:
            return Phase.FRESH
        return Phase.STALE if age < self.stale_seconds else Phase.KEPT

    def pack(self) -> bytes:
        """The stored form of the entry: one line of text, then the body."""
        times = f"{self.stored_at:.3f} {self.fresh_seconds:.3f} {self.stale_seconds:.3f}"
        return f"{_PACKING} {times} {self.index}\n".encode() + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> "Entry | None":
        """The entry of a stored form; None for bytes that another version of the code wrote."""
        head, newline, body = packed.partition(b"\n")
        try:
            packing, stored_at, fresh, stale, index = head.decode("ascii").split(" ")
            entry = cls(body, float(stored_at), float(fresh), float(stale), index)
        except ValueError:
            return None
        return entry if newline and packing == _PACKING else None
