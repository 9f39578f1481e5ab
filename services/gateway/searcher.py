"""A search as the API offers it: from the cache if it is there, else computed once and kept."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from services.common.errors import DeadlineExceeded, Overloaded, Unavailable
from services.common.request_context import Deadline, request_id_var
from services.gateway.admission.control import AdmissionControl
from services.gateway.answering import CacheState, Served, shared_part, whole
from services.gateway.cache.flights import Flights
from services.gateway.cache.hot import HotQueries
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Entry, Lifetimes, Phase, cache_key
from services.gateway.cache.redis import Lease, RedisCache
from services.gateway.cache.versions import RedisVersions
from services.gateway.domain import Answer, Cascade, Search, is_complete
from services.gateway.metrics import CacheMetrics, SearchMetrics
from services.gateway.models import ModelWatch

_POLL_SECONDS = 0.02
_WAIT_SHARE = 0.5
"""Of its time left, that a caller waits for another process before it computes itself."""


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf a search runs."""

    tenant: str
    """Whose cached answers it may see."""
    key: str
    """Whose share of the capacity it takes."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What a computation made; `entry` also when it may not be kept."""

    entry: Entry
    degraded: list[str]


@dataclass(slots=True)
class Searcher:
    cascade: Cascade
    versions: RedisVersions
    models: ModelWatch
    local: LocalCache
    shared: RedisCache
    lifetimes: Lifetimes
    admission: AdmissionControl
    hot: HotQueries
    metrics: SearchMetrics
    cache_metrics: CacheMetrics
    budget_seconds: float
    """Of a computation that nobody waits for."""
    indexes: dict[str, str] = field(default_factory=dict)
    """The index that answered last, by collection."""
    _flights: Flights[Computed] = field(default_factory=Flights)
    _releases: set["asyncio.Task[None]"] = field(default_factory=set)

    async def answer(
        self,
        search: Search,
        deadline: Deadline,
        asker: Asker,
        use: CacheUse,
        *,
        patience: float = 0.0,
        counted: bool = True,
    ) -> Served:
        """The JSON of a SearchAnswer. Raises what the cascade raises, and Overloaded.

        `patience` is how long it may wait for its turn, in seconds, beyond the usual moment.
        """
        started = time.perf_counter()
        if counted:
            self.hot.count(search, asker.tenant)
        version = await self._version(search.collection)
        key = version and cache_key(search, version, self.models.models, asker.tenant)
        if use is not CacheUse.NORMAL or version is None or key is None:
            keep = version if use is not CacheUse.NONE else None
            computed = await self._compute(search, deadline, asker, version, keep, patience)
            state = CacheState.MISS if use is CacheUse.NORMAL else CacheState.BYPASS
            self.cache_metrics.looked_up(state)
            return self._computed(computed, state, started)

        entry = await self._find(key)
        if entry is not None and (phase := entry.phase(time.time())) is not Phase.KEPT:
            if phase is Phase.STALE:
                self._revalidate(key, search, asker, version)
            state = CacheState.HIT if phase is Phase.FRESH else CacheState.STALE
            return self._cached(entry, state, started, away=self.models.recall_away)

        async def compute() -> Computed:
            return await self._once(key, search, deadline, asker, version, patience)

        try:
            computed, joined = await self._flights.join(key, deadline, compute)
            if joined and computed.degraded:
                # It was cut to the time of an earlier caller; this one has more.
                computed = await self._compute(search, deadline, asker, version, None, patience)
        except (Unavailable, DeadlineExceeded) as error:
            if entry is None or isinstance(error, Overloaded):
                raise
            return self._cached(entry, CacheState.STALE, started, away=True)
        self.cache_metrics.looked_up(CacheState.MISS)
        return self._computed(computed, CacheState.MISS, started)

    async def hit(self, search: Search, members: bytes, asker: Asker) -> Served | None:
        """The answer if it is fresh in this process, else None: then ask for it in full.

        `members` are the search's canonical bytes.
        """
        started = time.perf_counter()
        version = await self._version(search.collection)
        key = version and cache_key(search, version, self.models.models, asker.tenant, members)
        entry = self.local.get(key) if key else None
        if entry is None or entry.phase(time.time()) is not Phase.FRESH:
            return None
        self.hot.count(search, asker.tenant, members)
        return self._cached(entry, CacheState.HIT, started, away=self.models.recall_away)

    async def aclose(self) -> None:
        await self._flights.aclose()
        await asyncio.gather(*self._releases)

    async def _version(self, collection: str) -> str | None:
        try:
            return await self.versions.current(collection)
        except Unavailable:
            return None

    async def _find(self, key: str) -> Entry | None:
        """From this process, else from Redis. Another replica may have made a fresher one."""
        entry = self.local.get(key)
        if entry is not None and entry.phase(time.time()) is Phase.FRESH:
            return entry
        found = await self.shared.get(key)
        if found is not None and (entry is None or found.stored_at > entry.stored_at):
            self.local.put(key, found)
            return found
        return entry

    def _revalidate(self, key: str, search: Search, asker: Asker, version: str) -> None:
        if key in self._flights:
            return
        deadline = Deadline.after(self.budget_seconds)

        async def compute() -> Computed:
            token = await self.shared.lease(key, self.budget_seconds)
            if token is Lease.BUSY:
                raise Unavailable("Another process makes it.")
            return await self._leased(key, token, search, deadline, asker, version, 0.0)

        self._flights.start(key, deadline, compute)

    async def _once(
        self,
        key: str,
        search: Search,
        deadline: Deadline,
        asker: Asker,
        version: str,
        patience: float,
    ) -> Computed:
        """Computes unless another process does; then waits for what that one keeps."""
        give_up = time.monotonic() + deadline.remaining() * _WAIT_SHARE
        while True:
            token = await self.shared.lease(key, deadline.remaining() + 1.0)
            if token is not Lease.BUSY:
                return await self._leased(key, token, search, deadline, asker, version, patience)
            if time.monotonic() >= give_up:
                return await self._compute(search, deadline, asker, version, version, patience)
            locked = True
            while locked and time.monotonic() < give_up:
                await asyncio.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))
                entry, locked = await self.shared.look(key)
                if entry is not None and entry.phase(time.time()) is not Phase.KEPT:
                    self.local.put(key, entry)
                    return Computed(entry, [])

    async def _leased(
        self,
        key: str,
        token: str | Lease,
        search: Search,
        deadline: Deadline,
        asker: Asker,
        version: str,
        patience: float,
    ) -> Computed:
        try:
            # Who held the lock before may have finished between our look and our lease.
            entry = await self.shared.get(key)
            if entry is not None and entry.phase(time.time()) is Phase.FRESH:
                self.local.put(key, entry)
                return Computed(entry, [])
            return await self._compute(search, deadline, asker, version, version, patience)
        finally:
            if isinstance(token, str):
                await self._releasing(key, token)

    async def _releasing(self, key: str, token: str) -> None:
        """Releases to the end, also where the computation was cancelled."""
        task = asyncio.create_task(self.shared.release(key, token))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        await asyncio.shield(task)

    async def _compute(
        self,
        search: Search,
        deadline: Deadline,
        asker: Asker,
        version: str | None,
        keep: str | None,
        patience: float,
    ) -> Computed:
        """Runs the cascade; a complete answer is kept for the index version `keep`."""
        kind = f"{search.mode}/{'rank' if search.rank else 'recall'}"
        async with self.admission.slot(asker.key, kind, deadline, patience) as slot:
            answer = await self.cascade.run(search, deadline)
            if not is_complete(answer):
                slot.untypical()
        self.indexes[search.collection] = answer.index
        self.cache_metrics.computed()
        self.metrics.answered(answer.stages, answer.degraded)
        entry = self._entry(search, answer, version)
        if is_complete(answer):
            models = await self.models.learn(answer.encoder, answer.ranker)
            if keep is not None and (key := cache_key(search, keep, models, asker.tenant)):
                self.local.put(key, entry)
                await self.shared.put(key, entry, self.lifetimes.kept)
        return Computed(entry, answer.degraded)

    def _entry(self, search: Search, answer: Answer, version: str | None) -> Entry:
        fresh = self.lifetimes.jittered(random.uniform(-1, 1))
        body = shared_part(search, answer, version)
        return Entry(body, time.time(), fresh, max(fresh, self.lifetimes.stale))

    def _cached(self, entry: Entry, state: CacheState, started: float, *, away: bool) -> Served:
        age = entry.age(time.time())
        self.cache_metrics.served(state, age)
        degraded = ["recall"] if away else []
        if away:
            self.metrics.degraded(degraded)
        return self._served(entry, degraded, state, age, started)

    def _computed(self, computed: Computed, state: CacheState, started: float) -> Served:
        return self._served(computed.entry, computed.degraded, state, 0.0, started)

    @staticmethod
    def _served(
        entry: Entry, degraded: list[str], state: CacheState, age: float, started: float
    ) -> Served:
        body = whole(
            entry.body,
            degraded=degraded,
            seconds=time.perf_counter() - started,
            cached=state in (CacheState.HIT, CacheState.STALE),
            request_id=request_id_var.get(),
        )
        return Served(body, state, age)


def late(budget_ms: int) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"The search did not end within {budget_ms} ms;"
        " give it more `budget_ms` or a smaller `recall_k`."
    )
