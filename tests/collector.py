"""A trace collector: receives what the services export (OTLP over HTTP) and keeps the spans.

with collector() as traces:
    ...start services with trace_endpoint=traces.url...
    print(traces.tree(traces.wait_for("POST /v1/search")))
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SpanSeen:
    service: str
    scope: str
    """Who made it: xunwen, or a library that traces itself (fastapi)."""
    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, str]


@dataclass(slots=True)
class Traces:
    url: str
    spans: list[SpanSeen] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def add(self, spans: list[SpanSeen]) -> None:
        with self._arrived:
            self.spans.extend(spans)
            self._arrived.notify_all()

    def wait_for(self, *names: str) -> list[SpanSeen]:
        """The spans of the first trace that holds all these names. Raises TimeoutError."""
        give_up = time.monotonic() + _WAIT_SECONDS
        with self._arrived:
            while True:
                for trace in dict.fromkeys(span.trace for span in self.spans):
                    own = [span for span in self.spans if span.trace == trace]
                    if set(names) <= {span.name for span in own}:
                        return own
                if not self._arrived.wait(give_up - time.monotonic()):
                    seen = sorted({f"{span.service}: {span.name}" for span in self.spans})
                    raise TimeoutError(f"no trace with {names}; seen {seen}")

    @staticmethod
    def tree(spans: list[SpanSeen]) -> str:
        """Our spans as an indented tree, children under their parents."""
        ids = {span.id for span in spans}
        lines: list[str] = []

        def draw(parent: str, depth: int) -> None:
            for span in spans:
                if span.parent == parent or (parent == "" and span.parent not in ids):
                    ours = span.scope == "xunwen"
                    if ours:
                        lines.append(f"{'  ' * depth}{span.service}: {span.name}")
                    draw(span.id, depth + ours)

        draw("", 0)
        return "\n".join(lines)


def _read(body: bytes) -> list[SpanSeen]:
    request = ExportTraceServiceRequest.FromString(body)
    seen = []
    for resource in request.resource_spans:
        about = {item.key: item.value.string_value for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            seen += [
                SpanSeen(
                    service=about["service.name"],
                    scope=scope.scope.name,
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    failed=span.status.code == 2,
                    attributes={
                        item.key: item.value.string_value or str(item.value.int_value)
                        for item in span.attributes
                    },
                )
                for span in scope.spans
            ]
    return seen


@contextmanager
def collector() -> Iterator[Traces]:
    traces = Traces("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            traces.add(_read(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        traces.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield traces
        finally:
            server.shutdown()
            thread.join()
