"""Cuts connections whose request head does not arrive: Uvicorn waits for it for ever."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def impatient(seconds: float) -> type[H11Protocol]:
    """An HTTP protocol that closes a connection `seconds` after the first byte of a head, or
    after its opening, unless the head is whole by then."""

    class ImpatientProtocol(H11Protocol):
        _awaited: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self.conn.trailing_data[0]:  # a part of a head
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._stop()  # Uvicorn's own timer watches idle connections

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
