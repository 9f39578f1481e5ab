"""How one service calls another: pooled, bounded in time, retried once within a budget of
retries, cut off when dead.

Exceptions of httpx end here: a caller sees the error tree only. What the other service
reported as problem+json comes back as the same error class.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Self, TypeVar

import httpx
from opentelemetry.trace import Span, SpanKind
from pydantic import BaseModel

from services.common.breaker import CircuitBreaker
from services.common.errors import DeadlineExceeded, SearchError, ServiceUnavailable, error_for
from services.common.request_context import (
    DEADLINE_HEADER,
    INTERNAL_TOKEN_HEADER,
    REQUEST_ID_HEADER,
    Deadline,
    deadline_var,
    request_id_var,
)
from services.common.retry_budget import RetryBudget
from services.common.tracing import carry, span

Answer = TypeVar("Answer", bound=BaseModel)


class ServiceClient:
    """A client of one service. Safe to share between tasks."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout: float,
        token: str | None = None,
        connections: int = 64,
        breaker: CircuitBreaker | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.breaker = breaker or CircuitBreaker()
        self.retries = RetryBudget()
        self._token = token
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout, connect=min(1.0, timeout)),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: BaseModel | None = None,
        params: Mapping[str, Any] | None = None,
        idempotent: bool = True,
        deadline: Deadline | None = None,
    ) -> Answer:
        """Sends `body` as JSON and reads an `answer`.

        Raises ServiceUnavailable (away, or its breaker is open), DeadlineExceeded, or what the
        service itself reported.
        """
        content = body.model_dump_json(exclude_none=True).encode() if body is not None else None
        response = await self.send(
            method, path, content=content, params=params, idempotent=idempotent, deadline=deadline
        )
        return answer.model_validate_json(response.content)

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = True,
        deadline: Deadline | None = None,
    ) -> httpx.Response:
        """One exchange with the whole answer read. A connection that broke is tried once more."""
        deadline = deadline or deadline_var.get()
        self.retries.called()
        try:
            return await self._once(method, path, content, params, headers, deadline)
        except _BrokenConnection as broken:
            if not idempotent or not self.retries.allows():
                raise self._away() from broken
        try:
            return await self._once(method, path, content, params, headers, deadline)
        except _BrokenConnection as broken:
            raise self._away() from broken

    async def _once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        deadline: Deadline | None,
    ) -> httpx.Response:
        seconds = min(self.timeout, deadline.remaining()) if deadline else self.timeout
        if seconds <= 0:
            raise DeadlineExceeded(f"No time was left for {self.name}.")
        with self._guard(), self._span(method, path):
            try:
                async with asyncio.timeout(seconds):
                    response = await self._http.request(
                        method,
                        path,
                        content=content,
                        params=params,
                        headers={**self._headers(content, deadline), **(headers or {})},
                    )
            except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError) as error:
                raise _BrokenConnection from error
            except (TimeoutError, httpx.TimeoutException) as error:
                raise self._late(deadline) from error
            except httpx.HTTPError as error:
                raise self._away() from error
        if response.is_error:
            raise _reported(response)
        return response

    async def check(self) -> None:
        """Asks the service for its readiness, past the breaker. Raises ServiceUnavailable."""
        try:
            response = await self._http.get("/readyz", headers=self._headers(None, None))
            readiness = response.json()
            away = [name for name, check in readiness["checks"].items() if not check["ok"]]
        except httpx.HTTPError as error:
            raise self._away() from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ServiceUnavailable(f"The {self.name} service gave no readable answer.") from error
        if response.is_error:
            raise ServiceUnavailable(f"The {self.name} service waits for: {', '.join(away)}.")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        content: AsyncIterator[bytes] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An exchange whose body, either way, is not held in memory. Never retried."""
        with self._guard(), self._span(method, path):
            try:
                async with self._http.stream(
                    method,
                    path,
                    content=content,
                    params=params,
                    headers={**self._headers(None, None), **(headers or {})},
                    timeout=httpx.Timeout(None, connect=1.0),
                ) as response:
                    if response.is_error:
                        await response.aread()
                        raise _reported(response)
                    yield response
            except httpx.HTTPError as error:
                raise self._away() from error

    def _guard(self) -> "_Guard":
        if not self.breaker.allow():
            raise self._away()
        return _Guard(self.breaker)

    def _span(self, method: str, path: str) -> AbstractContextManager[Span]:
        attributes = {"server.address": self.name, "url.path": path}
        return span(f"{method} {self.name}", kind=SpanKind.CLIENT, attributes=attributes)

    def _headers(self, content: bytes | None, deadline: Deadline | None) -> dict[str, str]:
        headers = {REQUEST_ID_HEADER: request_id_var.get()}
        if content is not None:
            headers["content-type"] = "application/json"
        if deadline is not None:
            headers[DEADLINE_HEADER] = deadline.header()
        if self._token is not None:
            headers[INTERNAL_TOKEN_HEADER] = self._token
        carry(headers)
        return headers

    def _away(self) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The {self.name} service does not answer; try again shortly.",
            retry_after=max(1.0, self.breaker.retry_after()),
        )

    def _late(self, deadline: Deadline | None) -> SearchError:
        if deadline is not None and deadline.expired:
            return DeadlineExceeded(f"The {self.name} service did not answer within the budget.")
        return self._away()


class _BrokenConnection(Exception):
    """The connection was refused or lost; nothing says whether the call was carried out."""


class _Guard:
    """Tells the breaker how a call ended. Client errors and late budgets are no failures."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None or (issubclass(kind, SearchError) and kind.status < 500):
            self._breaker.succeeded()
        elif issubclass(kind, (ServiceUnavailable, _BrokenConnection)):
            self._breaker.failed()
        else:
            self._breaker.abandoned()


def _reported(response: httpx.Response) -> SearchError:
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "", "A service of the cascade failed."
    if response.status_code == 401:  # it is we who are refused, not our caller
        return ServiceUnavailable(
            "A service of the cascade refuses calls of this gateway; both need the same"
            " INTERNAL_TOKEN."
        )
    after = response.headers.get("retry-after", "")
    return error_for(code, response.status_code, detail, float(after) if after.isdigit() else None)
