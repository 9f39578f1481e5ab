"""Prometheus metrics that every service has. Each application has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LATENCY_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the histogram's buckets, in seconds."""


class HttpMetrics:
    """Counts and times requests by route, and counts those in flight."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "xunwen_http_requests_total",
            "Requests by route and status",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "xunwen_http_request_duration_seconds",
            "Time from the head of a request to the last byte of its answer",
            ("method", "route"),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "xunwen_http_requests_in_flight", "Requests being answered", registry=registry
        )

    def render(self) -> bytes:
        """All metrics of the registry in Prometheus's text format."""
        return generate_latest(self.registry)
