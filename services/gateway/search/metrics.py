"""The metrics of searches: stages, degraded answers, the cache, admission, reachable services."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.common.calls.client import ServiceClient
from services.common.telemetry.metrics import LATENCY_BUCKETS
from services.gateway.cache.local import LocalCache
from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import CacheState

_AGE_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)


class SearchMetrics:
    """Counts answers, those that were computed, and the parts of the cascade that were missing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stages = Histogram(
            "xunwen_search_stage_seconds",
            "Time of a search's stages, as its answer reports them",
            ("stage",),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._answers = Counter(
            "xunwen_search_answers_total", "Searches that were answered", registry=registry
        )
        self._computed = Counter(
            "xunwen_cache_computations_total", "Answers that were computed", registry=registry
        )
        self._degraded = Counter(
            "xunwen_search_degraded_total",
            "Searches answered without a part of the cascade",
            ("part",),
            registry=registry,
        )
        self._breakers = Gauge(
            "xunwen_breaker_open",
            "1 while calls of a service are cut off because it does not answer",
            ("target",),
            registry=registry,
        )

    def watch(self, client: ServiceClient) -> None:
        """Reports the breaker of a client from now on."""
        self._breakers.labels(client.name).set_function(lambda: float(client.breaker.open))

    def computed(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """Counts a computed answer and its stages."""
        self._computed.inc()
        for stage in stages:
            self._stages.labels(stage["name"]).observe(stage["took_ms"] / 1000)

    def answered(self, degraded: Sequence[str]) -> None:
        """Counts an answer that a caller got, computed or not, and the parts that it went
        without."""
        self._answers.inc()
        for part in degraded:
            self._degraded.labels(part).inc()


class CacheMetrics:
    """Counts answers by the part that the cache took; the hit ratio is HIT and STALE over all
    lookups."""

    def __init__(self, registry: CollectorRegistry) -> None:
        lookups = Counter(
            "xunwen_cache_lookups_total",
            "Searches by how the cache took part: HIT, STALE, MISS or BYPASS",
            ("result",),
            registry=registry,
        )
        self._lookups = {state: lookups.labels(state.value) for state in CacheState}
        self._evicted = Counter(
            "xunwen_cache_evictions_total",
            "Answers that left the cache of this process to make room",
            registry=registry,
        )
        self._age = Histogram(
            "xunwen_cache_age_seconds",
            "Age of the answers that were served from the cache",
            buckets=_AGE_BUCKETS,
            registry=registry,
        )
        self._bytes = Gauge(
            "xunwen_cache_local_bytes", "Size of the cache of this process", registry=registry
        )

    def watch(self, local: LocalCache) -> None:
        """Reports the size of this cache from now on."""
        self._bytes.set_function(lambda: local.used_bytes)

    def evicted(self) -> None:
        """Counts an entry that made room for others."""
        self._evicted.inc()

    def looked_up(self, state: CacheState) -> None:
        """Counts an answer that was computed."""
        self._lookups[state].inc()

    def served(self, state: CacheState, age: float) -> None:
        """Counts an answer from the cache; `age` is in seconds."""
        self._lookups[state].inc()
        self._age.observe(age)


def watch_admission(registry: CollectorRegistry, admission: AdmissionControl) -> None:
    """Reports the adaptive limit, and the searches that run and wait under it."""
    for name, text, read in (
        ("limit", "Searches that may be computed at once", lambda: admission.limit.value),
        ("in_flight", "Searches that are being computed", lambda: admission.in_flight),
        ("waiting", "Searches that wait for their turn", lambda: admission.waiting),
    ):
        Gauge(f"xunwen_admission_{name}", text, registry=registry).set_function(read)
    registry.register(_Refusals(admission))


class _Refusals(Collector):
    def __init__(self, admission: AdmissionControl) -> None:
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "xunwen_admission_refused", "Searches refused for load", value=self._admission.refused
        )
