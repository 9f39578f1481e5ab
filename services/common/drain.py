"""How a service leaves without losing a request.

On SIGTERM it goes on answering for a moment, and each answer closes its connection, so that
pooled clients move elsewhere; then it stops listening, finishes what it has accepted, and ends
with 0. Uvicorn alone closes idle connections at once, on which a request may just be under way.
"""

import asyncio
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

_LINGER_SECONDS = 1.0
_POLL_SECONDS = 0.05


class DrainingServer(uvicorn.Server):
    """Tells the application's middleware, by `app.state.draining`, to close connections."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        app.state.draining = False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.draining = True
        give_up = time.monotonic() + _LINGER_SECONDS
        # Uvicorn offers no event to wait for.
        while self.server_state.connections and time.monotonic() < give_up:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        await super().shutdown(sockets)


def end_on_signals() -> None:
    """Makes SIGTERM and SIGINT end the process with 0, through its `finally` clauses.

    Uvicorn raises the signal again once it has drained; by default that would kill the process.
    """

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
