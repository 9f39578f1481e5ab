"""The frequent queries of a tenant, for suggestions."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from services.common.errors import Unavailable
from services.common.wire.suggest import MAX_FREQUENT, MAX_TYPED, Frequent
from services.gateway.search.hot.queries import HotQueries

_FRESH_SECONDS = 30.0
_COUNTED = 1_000
"""Number of frequent searches of a collection that are considered."""
_FEWEST = 2.0
"""Number of searches from which on a query is suggested."""
_GOES_ON = 0.5
"""A query is the beginning of another one, as a page that searches while people type asks it, if
the other is asked so many times as often."""
_MOST_COLLECTIONS = 1_000

_ByTenant = Mapping[str, Sequence[Frequent]]


@dataclass(slots=True)
class FrequentQueries:
    """Reads the counts of a collection at most every half minute. A tenant sees its own queries
    only."""

    hot: HotQueries
    _known: dict[str, tuple[float, _ByTenant]] = field(default_factory=dict, init=False)

    async def of(self, collection: str, tenant: str) -> Sequence[Frequent]:
        """The frequent queries of a tenant; while Redis is away, those that were read last."""
        read_at, known = self._known.get(collection, (float("-inf"), {}))
        if time.monotonic() - read_at >= _FRESH_SECONDS:
            with suppress(Unavailable):
                known = await self._read(collection)
            if len(self._known) >= _MOST_COLLECTIONS:
                self._known.clear()
            self._known[collection] = time.monotonic(), known
        return known.get(tenant, ())

    async def _read(self, collection: str) -> _ByTenant:
        counts: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for one in await self.hot.top(collection, _COUNTED):
            if (query := one.search.query) and len(query) <= MAX_TYPED:
                of_tenant = counts[one.tenant]
                of_tenant[query] = of_tenant.get(query, 0.0) + one.count
        return {tenant: _whole(some) for tenant, some in counts.items()}


def _whole(counts: Mapping[str, float]) -> list[Frequent]:
    """The queries without the beginnings of others, the most frequent first."""
    ordered = sorted(counts)
    whole = []
    for place, query in enumerate(ordered):
        following = ordered[place + 1] if place + 1 < len(ordered) else ""
        begins = following.startswith(query) and counts[following] >= _GOES_ON * counts[query]
        if counts[query] >= _FEWEST and not begins:
            whole.append(Frequent(text=query, count=counts[query]))
    return sorted(whole, key=lambda one: (-one.count, one.text))[:MAX_FREQUENT]
