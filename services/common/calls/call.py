"""One call of another service: its request, its span, and the error that the service reports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx
from opentelemetry.trace import Span, SpanKind

from services.common.calls.breaker import BrokenConnection
from services.common.calls.reported import is_problem, reported_error
from services.common.errors import InvalidRequest, SearchError, ServiceUnavailable
from services.common.telemetry.tracing import span

BROKEN = (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError)
"""Errors of a connection that was refused or lost."""
_SHOWN = 200
"""Characters of a path that a message quotes."""


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One request, in a form that can be sent twice."""

    method: str
    path: str
    content: bytes | AsyncIterator[bytes] | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(
        self, http: httpx.AsyncClient, headers: Mapping[str, str], **more: Any
    ) -> httpx.Request:
        """The request for exactly this path. Raises InvalidRequest if httpx would change it.

        httpx takes dot segments out of a path, so that a call would reach another route than the
        one that was allowed.
        """
        request = http.build_request(
            self.method,
            self.path,
            content=self.content,
            params=self.params,
            headers={**headers, **self.headers},
            **more,
        )
        sent, _, _ = request.url.raw_path.partition(b"?")
        if sent != http.base_url.raw_path.rstrip(b"/") + self.path.encode():
            shown = self.path[:_SHOWN]
            raise InvalidRequest(f"{shown!r} is no address to call; percent-encode its parts.")
        return request

    def span(self, service: str) -> AbstractContextManager[Span]:
        """The span of this call of a service."""
        attributes = {"server.address": service, "url.path": self.path}
        return span(f"{self.method} {service}", kind=SpanKind.CLIENT, attributes=attributes)


def check_served(response: httpx.Response) -> None:
    """Raises BrokenConnection or httpx.ReadTimeout for the answer of a proxy that did not reach the
    service. The service itself reports its errors as problems, whatever their status."""
    if is_problem(response):
        return
    if response.status_code in (502, 503):
        raise BrokenConnection
    if response.status_code == 504:
        raise httpx.ReadTimeout("A proxy waited too long.", request=response.request)


def reported(response: httpx.Response) -> SearchError:
    """The error that a service reported; a refused internal token is a fault of the set-up."""
    # The service refuses this gateway's token, not that of our caller.
    if response.status_code == 401:
        return ServiceUnavailable(
            "A service of the cascade refuses calls of this gateway; both need the same"
            " INTERNAL_TOKEN."
        )
    return reported_error(response)
