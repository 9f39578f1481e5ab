"""A protocol for Uvicorn that bounds the time of a request head and accepts addresses in plain
UTF-8."""

import asyncio
import re
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def percent_encoded(head: bytes) -> bytes:
    """The beginning of a request with the bytes beyond ASCII in its first line percent-encoded."""
    line, end, rest = head.partition(b"\r\n")
    if line.isascii():
        return head
    return re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], line) + end + rest


def impatient(seconds: float) -> type[H11Protocol]:
    """A Uvicorn protocol that closes a connection whose request head takes longer than `seconds`.

    The time counts from the first byte of a head, or from the opening of the connection. Uvicorn
    itself would wait for a head without end, and would refuse an address with unencoded Chinese
    characters, as `curl` sends it.
    """

    class ImpatientProtocol(H11Protocol):
        _awaited: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
                data = percent_encoded(data)
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self.conn.trailing_data[0]:  # Only a part of the head has arrived.
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._stop()  # Uvicorn's own timer watches idle connections.

        def _await_head(self) -> None:
            if self._awaited is None:
                loop: Any = self.loop
                self._awaited = loop.call_later(seconds, self._too_late)

        def _too_late(self) -> None:
            self._awaited = None
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

        def _stop(self) -> None:
            if self._awaited is not None:
                self._awaited.cancel()
                self._awaited = None

    return ImpatientProtocol
