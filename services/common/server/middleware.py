"""The outermost middleware of each service: context, internal token, access log, metrics."""

import logging
import time

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.errors import SearchError, Unauthenticated
from services.common.request_context import (
    DEADLINE_HEADER,
    REQUEST_ID_HEADER,
    accept_request_id,
    deadline_var,
    read_deadline,
    request_id_var,
)
from services.common.server.abandoned import CLIENT_CLOSED
from services.common.server.drain import is_stopping
from services.common.server.internal_calls import InternalCalls
from services.common.server.problem import problem_response
from services.common.telemetry.metrics import HttpMetrics
from services.common.telemetry.tracing import span

logger = logging.getLogger("services.access")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Paths that need no token, are not traced, and are logged at debug level only."""


def _route(scope: Scope) -> str:
    """The template of the route that answered; it is known once the application has answered."""
    return getattr(scope.get("route"), "path", "unmatched")


class RequestContextMiddleware:
    """Sets the context of a request; counts, traces and logs it; turns a bug into a plain 500.

    With `internal` a request that is no call of another service is refused with 401.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: HttpMetrics, internal: InternalCalls | None = None
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.internal = internal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id_var.set(accept_request_id(headers.get(REQUEST_ID_HEADER)))
        deadline_var.set(read_deadline(headers.get(DEADLINE_HEADER)))
        if scope["path"] in _PROBES:
            await self._answer(scope, headers, receive, send)
            return
        with span(scope["method"], kind=SpanKind.SERVER, parent=headers) as current:
            status = await self._answer(scope, headers, receive, send)
            route = _route(scope)
            current.update_name(f"{scope['method']} {route}")
            current.set_attributes(
                {
                    "http.request.method": scope["method"],
                    "http.route": route,
                    "http.response.status_code": status,
                    "request_id": request_id_var.get(),
                }
            )

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> int:
        """Lets the application answer, and returns the status of its response."""
        started = time.perf_counter()
        status = 500
        begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                answer = MutableHeaders(scope=message)
                answer[REQUEST_ID_HEADER] = request_id_var.get()
                if is_stopping(scope["app"]):
                    answer["connection"] = "close"
            await send(message)

        self.metrics.in_flight.inc()
        try:
            if self._refused(scope, headers):
                error: SearchError = Unauthenticated("This service answers internal calls only.")
                await problem_response(error)(scope, receive, send_with_id)
            else:
                await self.app(scope, receive, send_with_id)
        except ClientDisconnect:  # The route was reading the body; nobody waits for an answer.
            status = CLIENT_CLOSED
        except Exception:
            logger.exception("a request failed with an unexpected error")
            if begun:
                raise
            error = SearchError("The service failed; quote the request id when you report it.")
            await problem_response(error)(scope, receive, send_with_id)
        finally:
            self.metrics.in_flight.dec()
            self._record(scope, status, time.perf_counter() - started)
        return status

    def _refused(self, scope: Scope, headers: Headers) -> bool:
        if self.internal is None or scope["path"] in _PROBES:
            return False
        return self.internal.refuses(scope["method"], headers)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if route != "unmatched" else "any"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.seconds.labels(method, route).observe(seconds)
        quiet = scope["path"] in _PROBES or scope.get("quiet", False)
        level = logging.DEBUG if quiet else logging.INFO
        if not logger.isEnabledFor(level):
            return
        logger.log(
            level,
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "took_ms": round(seconds * 1000, 2),
            },
        )
