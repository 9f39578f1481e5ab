"""Traces (OpenTelemetry): a span per request, stage of a search, call of a service, and task.

Nothing is recorded unless `tracing` gets an endpoint; without one, every span here is the empty
one of the library. The context travels as W3C trace context in the headers of HTTP requests and
of Celery messages.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("xunwen")
_propagator = TraceContextTextMapPropagator()

_NOT_SAMPLED = f"00-{1:032x}-{1:016x}-00"

Attributes = Mapping[str, str | int | float | bool]


@contextmanager
def tracing(service: str, endpoint: str | None, sample_ratio: float = 1.0) -> Iterator[None]:
    """Sends the process's spans to an OTLP/HTTP collector while the context lasts.

    `endpoint` is the base address of the collector, such as http://collector:4318; None leaves
    tracing off. A request follows the decision of its caller on sampling; of the requests without
    such a decision a share of `sample_ratio` is kept.
    """
    if not endpoint:
        yield
        return
    # These modules are imported only here, so that a service without tracing starts without them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        resource=Resource.create(
            {SERVICE_NAME: f"xunwen-{service}", SERVICE_VERSION: version("xunwen")}
        ),
        sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Mapping[str, str] | None = None,
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """A span inside the current one, or inside the one whose context the headers `parent` carry.

    An exception marks the span as failed and records its class, not its message.
    """
    recorded = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    if not recorded and parent is not None and "traceparent" not in parent:
        yield trace.INVALID_SPAN  # Nothing records the span, and there is no context to pass on.
        return
    context = _propagator.extract(parent) if parent is not None else None
    with _tracer.start_as_current_span(
        name,
        context,
        kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def carry(headers: MutableMapping[str, str], *, alone: bool = True) -> None:
    """Adds the context of the current span to `headers`.

    Without a current span the called service starts a trace of its own. `alone=False` prevents
    that for calls that are made all the time, such as the renewal of leases.
    """
    _propagator.inject(headers)
    if not alone:
        headers.setdefault("traceparent", _NOT_SAMPLED)


def trace_id() -> str | None:
    """The id of the current trace as 32 hex digits, for logs; None outside of a trace."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else None
