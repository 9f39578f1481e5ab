"""Prometheus metrics of a model's engine: work done, work waiting, and which model it is."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common.model_dir import ModelManifest

_SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class EngineMetrics:
    """The metrics of a process's models; a registry holds one of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.tokens = Counter(
            "xunwen_engine_tokens_total", "Tokens computed, without padding", registry=registry
        )
        self.sequences = Histogram(
            "xunwen_engine_batch_sequences",
            "Sequences of a forward pass",
            buckets=_SEQUENCES,
            registry=registry,
        )
        self.seconds = Histogram(
            "xunwen_engine_forward_seconds",
            "Time of a forward pass",
            buckets=_SECONDS,
            registry=registry,
        )
        self.failures = Counter(
            "xunwen_engine_failures_total", "Forward passes that failed", registry=registry
        )
        self.refused = Counter(
            "xunwen_engine_refused_total",
            "Units of work refused because too much was waiting",
            registry=registry,
        )
        self.queued_tokens = Gauge(
            "xunwen_engine_queued_tokens", "Padded tokens that wait for a pass", registry=registry
        )
        self._model = Gauge(
            "xunwen_model_info",
            "The ranker, or the encoder of new collections; its value is always 1",
            ("kind", "name", "version", "fingerprint", "precision"),
            registry=registry,
        )

    def shows(self, manifest: ModelManifest, precision: str) -> None:
        """Names the model, and how it computes."""
        self._model.labels(
            manifest.kind, manifest.name, manifest.version, manifest.fingerprint, precision
        ).set(1)

    def passed(self, sequences: int, tokens: int, seconds: float) -> None:
        """Counts a forward pass that succeeded."""
        self.sequences.observe(sequences)
        self.tokens.inc(tokens)
        self.seconds.observe(seconds)
