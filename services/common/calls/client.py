"""The client by which one service calls another over HTTP.

Connections are pooled; each call is bounded in time; a broken connection is tried once more as
long as the budget of retries lasts; a service that keeps failing is not called for a while. A
stream may last for ever, so streams have connections of their own, and there are only so many.
Exceptions of httpx end here, so a caller sees only the error tree: an error that the other
service reported as problem+json is raised as the same class.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.common.calls.breaker import BrokenConnection, CircuitBreaker, Guarded
from services.common.calls.call import BROKEN, ServiceCall, check_served, reported
from services.common.calls.certificates import trusted
from services.common.calls.places import Places
from services.common.calls.retry_budget import RetryBudget
from services.common.calls.transport import ServiceTransport
from services.common.errors import DeadlineExceeded, ServiceUnavailable
from services.common.request_context import (
    DEADLINE_HEADER,
    INTERNAL_TOKEN_HEADER,
    REQUEST_ID_HEADER,
    Deadline,
    deadline_var,
    request_id_var,
)
from services.common.telemetry.tracing import carry

Answer = TypeVar("Answer", bound=BaseModel)


class ServiceClient:
    """A client of one service, to be used as an async context. Tasks may share it.

    `name` stands in messages, metrics and traces. `timeout` bounds each call in seconds; a
    deadline that ends earlier goes first. `token` is the internal token that the service asks for.
    `connections` bounds the calls at once; further ones wait. `streams` bounds the streamed answers
    at once, and the streamed bodies; further ones are refused.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        timeout: float,
        token: str | None = None,
        connections: int = 64,
        streams: int = 64,
        breaker: CircuitBreaker | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.connections = connections
        self.breaker = breaker or CircuitBreaker()
        self.retries = RetryBudget()
        self._token = token
        certificates = trusted(base_url)
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout, connect=min(1.0, timeout)),
            transport=transport or ServiceTransport(certificates, connections),
        )
        self._streaming = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(None, connect=1.0),
            transport=transport or ServiceTransport(certificates, 2 * streams),
        )
        self._answers = Places(
            streams,
            f"The {name} service sends {streams} followed jobs and downloads already, which is the"
            " most at once; end one of them, or ask for a job's state instead of following it.",
        )
        self._uploads = Places(
            streams,
            f"The {name} service receives {streams} uploads already, which is the most at once; try"
            " again when one has ended.",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()
        await self._streaming.aclose()

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
        """Sends `body` as JSON and returns the response, read as the model `answer`.

        Without `deadline` that of the present request holds, if there is one. Raises
        ServiceUnavailable when the service does not answer, its answer cannot be read, or its
        breaker is open, DeadlineExceeded, or the error that the service reported.
        """
        content = body.model_dump_json(exclude_none=True).encode() if body is not None else None
        response = await self.send(
            method, path, content=content, params=params, idempotent=idempotent, deadline=deadline
        )
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise self._unreadable() from error

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
        """Sends one request and returns the response with its whole body. Raises as `ask` does.

        A connection that broke is tried once more if the call is `idempotent`.
        """
        deadline = deadline or deadline_var.get()
        call = ServiceCall(method, path, content, params, headers or {})
        self.retries.called()
        try:
            return await self._once(call, deadline)
        except BrokenConnection as broken:
            if not idempotent or not self.retries.allows():
                raise self._away() from broken
        try:
            return await self._once(call, deadline)
        except BrokenConnection as broken:
            raise self._away() from broken

    async def _once(self, call: ServiceCall, deadline: Deadline | None) -> httpx.Response:
        seconds = min(self.timeout, deadline.remaining()) if deadline else self.timeout
        if seconds <= 0:
            raise DeadlineExceeded(f"No time was left for {self.name}.")
        with self._guard(), call.span(self.name):
            request = call.request(self._http, self._headers(call.content, deadline))
            try:
                async with asyncio.timeout(seconds):
                    response = await self._http.send(request)
                check_served(response)
            except BROKEN as error:
                raise BrokenConnection from error
            except TimeoutError as error:
                # Timers may end some milliseconds early, so the deadline need not have passed yet.
                raise (self._exceeded() if seconds < self.timeout else self._away()) from error
            except httpx.TimeoutException as error:
                expired = deadline is not None and deadline.expired
                raise (self._exceeded() if expired else self._away()) from error
            except httpx.HTTPError as error:
                raise self._away() from error
        if response.is_error:
            raise reported(response)
        return response

    async def check(self) -> None:
        """Asks the service for its readiness, also while its breaker is open.

        A service that was only out of reach is called again after this, so that a search right
        after `/readyz` reaches it. Raises ServiceUnavailable, whose detail names what the service
        waits for.
        """
        try:
            response = await self._http.get("/readyz", headers=self._headers(None, None))
            readiness = response.json()
            away = [name for name, check in readiness["checks"].items() if not check["ok"]]
        except httpx.HTTPError as error:
            raise self._away() from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._unreadable() from error
        if response.is_error:
            raise ServiceUnavailable(f"The {self.name} service waits for: {', '.join(away)}.")
        self.breaker.ready()

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
        """A call whose bodies pass through without being held in memory. It is never retried.

        Raises as `ask` does, and Overloaded if too many streams are open; only connecting is
        bounded in time.
        """
        call = ServiceCall(method, path, content, params, headers or {})
        places = self._answers if content is None else self._uploads
        try:
            with places.taken(), self._guard(probe=False):
                try:
                    # The span ends with the head of the answer. The body may be read by another
                    # task, and only the task that made a span the current one can end that.
                    with call.span(self.name):
                        request = call.request(self._streaming, self._headers(None, None))
                        response = await self._streaming.send(request, stream=True)
                    async with aclosing(response):
                        check_served(response)
                        if response.is_error:
                            await response.aread()
                        else:
                            yield response
                except BROKEN as error:
                    raise BrokenConnection from error
                except httpx.HTTPError as error:
                    raise self._away() from error
        except BrokenConnection as broken:
            raise self._away() from broken
        if response.is_error:
            raise reported(response)

    def _guard(self, *, probe: bool = True) -> Guarded:
        if not self.breaker.allow(probe=probe):
            raise self._away()
        return Guarded(self.breaker)

    def _headers(self, content: object, deadline: Deadline | None) -> dict[str, str]:
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

    def _unreadable(self) -> ServiceUnavailable:
        return ServiceUnavailable(f"The {self.name} service gave no readable answer.")

    def _exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"The {self.name} service did not answer within the budget.")
