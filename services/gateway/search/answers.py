"""The two values that travel along the chain of a search, and the port that all links have.

An Ask goes from the route to the cascade; an Answered comes back. Each link of the chain takes an
Ask, hands it to the link inside it, and returns an Answered:

    Observed -> Cached -> Shared -> Kept -> Admitted -> Arranging -> Cascade

Every link but the last may be left out: without Redis, `Admitted(Cascade)` is a gateway too.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from services.common.request_context import Deadline
from services.gateway.cache.policy import CacheUse
from services.gateway.search.query.search import Search


@dataclass(frozen=True, slots=True)
class Asker:
    """The caller on whose behalf a search runs."""

    tenant: str
    """Name of the callers who share cached answers."""
    key: str
    """Identity of the API key whose share of the capacity is used."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A search with the terms on which it is to be answered."""

    search: Search
    deadline: Deadline
    asker: Asker
    use: CacheUse = CacheUse.NORMAL
    patience: float = 0.0
    """Seconds to wait for a place that more urgent searches leave; 0 for an urgent search."""
    started: float = field(default_factory=time.perf_counter)
    """Time of the performance counter from which `took_ms` is counted."""
    version: str | None = None
    """Version of the index, from the link that looks it up; None while it is not known."""
    rules: str | None = None
    """Version of the collection's query rules, from the same link; None while it is not known."""
    key: str | None = None
    """Key of the answer in the caches; None if the caches must not be asked."""

    @property
    def patient(self) -> bool:
        """Whether more urgent searches go before this one."""
        return self.patience > 0


class CacheState(StrEnum):
    """The part of the cache in an answer; the value of the header X-Cache."""

    HIT = "HIT"
    STALE = "STALE"
    MISS = "MISS"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer on its way to the route."""

    content: bytes
    """The part of the answer that is the same for all callers, as `render.content` writes it."""
    index: str
    """Physical collection that answered."""
    degraded: Sequence[str] = ()
    """Parts of the cascade that did not take part; such an answer is not cached."""
    stages: Sequence[Mapping[str, Any]] = ()
    """Stages of the computation; none for an answer from a cache."""
    ranker: str | None = None
    """Fingerprint of the ranker that took part; None if none did."""
    state: CacheState = CacheState.MISS
    age: float = 0.0
    """Seconds since the answer was computed."""

    @property
    def cached(self) -> bool:
        """Whether the answer comes from a cache."""
        return self.state in (CacheState.HIT, CacheState.STALE)


class Answers(Protocol):
    """A link of the chain."""

    async def answer(self, ask: Ask) -> Answered:
        """The answer of a search.

        Raises DeadlineExceeded if nothing was found in time, Overloaded or RateLimited if there is
        no place, Unavailable if recall is away, or the error for which the search is refused.
        """
