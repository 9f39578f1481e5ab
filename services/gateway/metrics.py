"""What the gateway counts: stages of searches, what was degraded, services it cannot reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.metrics import LATENCY_BUCKETS
from services.common.service_client import ServiceClient


class SearchMetrics:
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

    def answered(self, stages: Sequence[Mapping[str, Any]], degraded: Sequence[str]) -> None:
        self._answers.inc()
        for stage in stages:
            self._stages.labels(stage["name"]).observe(stage["took_ms"] / 1000)
        for part in degraded:
            self._degraded.labels(part).inc()
