"""The transport by which httpx sends requests between services: the connections of aiohttp.

aiohttp parses answers in C. docs/adr/0029-calls-go-through-aiohttp.md says why.
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx
from yarl import URL

_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
)
"""Errors of aiohttp with those that httpx has for them; the first that fits is taken."""
_OWN_HEADERS = frozenset({"content-type", "user-agent", "accept", "accept-encoding"})
"""Headers that aiohttp adds unless it is told not to."""


class ServiceTransport(httpx.AsyncBaseTransport):
    """Sends requests over at most `connections` kept connections, without proxies.

    `trusted` has the certificates by which servers are checked.
    """

    def __init__(self, trusted: ssl.SSLContext, connections: int) -> None:
        self._trusted = trusted
        self._connections = connections
        self._opened: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of one request, its body unread. Raises httpx.TransportError, and what the
        request's own body raises."""
        headers = request.headers.multi_items()
        sent: _Sent | None = None
        if not isinstance(request.stream, httpx.ByteStream):
            assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101 - an async client's
            sent = _Sent(request.stream)
            # aiohttp says itself that a body comes in chunks.
            headers = [each for each in headers if each[0].lower() != "transfer-encoding"]
        timeout = request.extensions.get("timeout", {})
        # httpx has made a header of user and password.
        address = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        with _errors_of_httpx(sent):
            answer = await self._session().request(
                request.method,
                URL(str(address), encoded=True),
                headers=headers,
                skip_auto_headers=_OWN_HEADERS,
                data=sent or request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("pool"),
                    sock_connect=timeout.get("connect"),
                    sock_read=timeout.get("read"),
                ),
            )
        body = _Received(answer, sent)
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=body)

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._opened is not None:
            await self._opened.close()

    def _session(self) -> aiohttp.ClientSession:
        """The session, which can be made only where an event loop runs."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._trusted),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                middlewares=[_sent_once],
            )
        return self._opened


class _Sent:
    """The body of a request, read by a task of aiohttp, which reports its failure as one of the
    connection."""

    def __init__(self, parts: httpx.AsyncByteStream) -> None:
        self._parts = parts
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._parts:
                yield part
        except Exception as failure:
            self.failure = failure
            raise


class _Received(httpx.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, answer: aiohttp.ClientResponse, sent: _Sent | None) -> None:
        self._answer = answer
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx(self._sent):
            async for part in self._answer.content.iter_any():
                yield part

    async def aclose(self) -> None:
        """Gives the connection back, or closes it if something of the body was not read."""
        if self._answer.content.at_eof():
            self._answer.release()
        else:
            self._answer.close()


async def _sent_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Sends a request. aiohttp would repeat some after its own errors, and knows no budget of
    retries; it does not after these."""
    with _errors_of_httpx():
        return await send(request)


@contextmanager
def _errors_of_httpx(sent: _Sent | None = None) -> Iterator[None]:
    """Raises errors of aiohttp as those of httpx, or as what the sent body raised before."""
    try:
        yield
    except (aiohttp.ClientError, OSError, httpx.TransportError) as error:
        if sent is not None and sent.failure is not None:
            raise sent.failure from None
        if isinstance(error, httpx.TransportError):
            raise
        kind = next(to for kind, to in _ERRORS if isinstance(error, kind))
        raise kind(str(error)) from error
