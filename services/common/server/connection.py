"""The HTTP/1.1 connections of the services: Uvicorn's protocol with bounds, and strict with faults.

Uvicorn's own protocol would wait for a head without end and keep any amount of it, read any number
of requests before the first is answered, answer a fault before the requests that came ahead of it,
take trailers for headers, drop the body of a request that offers another protocol, and send chunks
to clients of HTTP/1.0.
"""

import asyncio
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.common.errors import MalformedRequest, SearchError
from services.common.server.joined_writes import JoinedWrites
from services.common.server.reading import Reading
from services.common.server.refusal import refusal
from services.common.server.request_heads import (
    MAX_HEAD_BYTES,
    Header,
    fault_of,
    percent_encoded,
    too_large,
)

_PIECE_BYTES = 8192
"""Bytes that are parsed at once. Nothing is parsed behind a request that is not answered yet, so
that no more requests of a connection are in memory than fit in here."""

_LINGER_SECONDS = 0.5
"""Time in which a client that was refused may go on sending, and so reads why. A connection that is
closed with bytes on their way is reset, and the answer is lost."""


class Connection(HttpToolsProtocol):
    """One connection of a client.

    It closes if a head takes longer than `head_seconds` from its first byte, or from the opening
    of the connection. Addresses may hold bytes beyond ASCII, as curl sends Chinese characters; only
    a request that comes in one packet with another before it must have them percent-encoded.
    """

    head_seconds: float

    flow: Reading

    _writes: JoinedWrites
    _held = b""
    """Bytes that are parsed once the requests before them are answered. No more is read when they
    exceed a piece; up to there reading goes on, which alone shows that the caller has gone."""
    _in_head = True
    """Whether the parser is in a head or before one, not in a body."""
    _begun = False
    """Whether the parser has seen the first byte of a request and not yet its last."""
    _line_cut = False
    """Whether the request line goes on in the next piece."""
    _fruitful = False
    """Whether the present piece has completed a head or a request, or held a part of a body."""
    _fruitless_bytes = 0
    """Sum of the pieces since the last one that was fruitful."""
    _head_watched = False
    """Whether the timer that closes the connection waits for the end of a head."""
    _active: RequestResponseCycle | None = None
    """The request that is answered at present, or was answered last."""
    _refusal: SearchError | None = None
    """Why nothing more is read. It is sent once all requests before the fault are answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Reading(transport)
        self.transport = self._writes = JoinedWrites(transport, self.loop)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._held = b""
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        if self._active is not None:
            _abandon(self._active)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is None:
            self._held += data
            self._feed()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # The parser reports trailers, too, which are no headers.
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self._refusal = fault_of(method, self.url, version, self.headers)
        if self._refusal is not None:
            raise self._refusal
        if self.parser.should_upgrade():
            return  # The parser stops here, and _without_upgrade goes on.
        self.expect_100_continue = self.expect_100_continue and version == "1.1"
        super().on_headers_complete()
        self._in_head, self._fruitful = False, True

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._fruitful = True

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_head, self._begun, self._fruitful = True, False, True

    def on_response_complete(self) -> None:
        self._writes.flush()
        self.flow.full = False
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._refusal is None:
            self._feed()
        elif not self._answering():
            self._send_refusal(self._refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._active = cycle
        if cycle.scope["http_version"] == "1.0":
            _without_chunks(cycle)
        super()._start_asgi_task(cycle, app)

    def _answering(self) -> bool:
        """Whether a request waits for its answer, or for the rest of it."""
        active = self._active
        return active is not None and not (active.response_complete or active.disconnected)

    def _feed(self) -> None:
        """Parses what has arrived, up to the piece that begins behind a request that waits."""
        data, self._held = self._held, b""
        at = 0
        while at < len(data) and not (self._answering() and (self._in_head or self.pipeline)):
            self._parse(data[at : at + _PIECE_BYTES])
            if self._refusal is not None:
                return
            at += _PIECE_BYTES
        self._held = data[at:]
        if len(self._held) > _PIECE_BYTES:
            self.flow.full = True
            self.flow.pause_reading()
        self._watch()

    def _parse(self, piece: bytes) -> None:
        if self._in_head and (self._line_cut or not self._begun):
            piece = self._encoded(piece)
        self._fruitful = False
        try:
            self.parser.feed_data(piece)
        except HttpParserUpgrade as upgrade:
            self._without_upgrade(piece[upgrade.args[0] :])
            return
        except HttpParserError:
            self._refuse(self._refusal or _not_http())
            return
        self._fruitless_bytes = 0 if self._fruitful else self._fruitless_bytes + len(piece)
        if self._fruitless_bytes > MAX_HEAD_BYTES:
            self._refuse(too_large())

    def _encoded(self, piece: bytes) -> bytes:
        """The piece with its part of the request line percent-encoded."""
        start = 0 if self._begun else len(piece) - len(piece.lstrip(b"\r\n"))
        end = piece.find(b"\n", start)
        self._line_cut = end < 0
        if self._line_cut:
            return percent_encoded(piece)
        return percent_encoded(piece[:end]) + piece[end:]

    def _without_upgrade(self, rest: bytes) -> None:
        """Reads a head again without its offer of another protocol, and then what follows it."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        headers: list[Header] = self.headers
        lines += [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self._parse(b"".join([*lines, b"\r\n", rest]))

    def _watch(self) -> None:
        """Sets the timer that closes the connection unless something happens."""
        if self._answering():
            self._unset_keepalive_if_required()
            self._head_watched = False
        elif self._in_head and (self._begun or self._fruitless_bytes or self._active is None):
            if not self._head_watched:
                self._close_in(self.head_seconds)
                self._head_watched = True
        else:  # The connection is idle, or gets the rest of a body that nobody reads.
            self._close_in(self.timeout_keep_alive)
            self._head_watched = False

    def _close_in(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        close = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(seconds, close)

    def _refuse(self, fault: SearchError) -> None:
        """Reads nothing more, and answers with `fault` after the answers that are due before."""
        self._refusal = fault
        if not self._in_head and self.pipeline:
            self.pipeline.popleft()  # the request whose body is broken; its turn has not come
        elif not self._in_head:
            _abandon(self.cycle)
            if self.cycle.response_started:
                self.transport.close()
                return
        if self._answering():
            self._unset_keepalive_if_required()
        else:
            self._send_refusal(fault)

    def _send_refusal(self, fault: SearchError) -> None:
        self.transport.write(refusal(fault, self.server_state.default_headers))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._close_in(_LINGER_SECONDS)


def connection(head_seconds: float) -> type[Connection]:
    """The protocol for Uvicorn, with the longest time in seconds that a head may take."""
    return type("TimedConnection", (Connection,), {"head_seconds": head_seconds})


def _not_http() -> MalformedRequest:
    return MalformedRequest("The request is not HTTP/1.1 as it must be, or its method is unknown.")


def _abandon(cycle: RequestResponseCycle) -> None:
    """Tells the application that nobody waits for the answer any more."""
    if not cycle.response_complete:
        cycle.disconnected = True
    cycle.message_event.set()


def _without_chunks(cycle: RequestResponseCycle) -> None:
    """Makes the end of the connection the end of the answer.

    HTTP/1.0 knows no chunks. Uvicorn sends chunks where no length is announced, and otherwise
    counts the bytes that are missing yet; so each part is announced as all that is missing.
    """
    cycle.chunked_encoding = False
    send = cycle.send

    async def send_part(message: Any) -> None:
        if message["type"] == "http.response.body":
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = send_part  # type: ignore[method-assign]  # Uvicorn's own answers use it, too.
