"""Stops a service without losing a request.

On SIGTERM the service goes on answering for up to a second, and each response closes its
connection, so that pooled clients connect elsewhere. Then it stops listening, finishes the requests
that it has accepted, and exits with 0. Uvicorn alone would close idle connections at once, although
a request may just be on its way on one of them.
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
"""Longest time in seconds in which open connections may end by themselves before the service closes
them."""
_POLL_SECONDS = 0.05


class DrainingServer(uvicorn.Server):
    """A Uvicorn server that closes connections gently when it stops.

    It sets `app.state.draining`, and the application's middleware then marks each response as the
    last one of its connection.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        app.state.draining = False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then stops as Uvicorn does; `sockets` are those that the server listens on."""
        self._app.state.draining = True
        give_up = time.monotonic() + _LINGER_SECONDS
        # The loop polls, since Uvicorn offers no event to wait for.
        while self.server_state.connections and time.monotonic() < give_up:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        await super().shutdown(sockets)


def is_stopping(app: FastAPI) -> bool:
    """Whether the service stops. An answer that may take hours then ends early, since it would hold
    up the end of the service until the time for draining is over."""
    return bool(getattr(app.state, "draining", False))


def end_on_signals() -> None:
    """Makes SIGTERM and SIGINT end the process with exit code 0, through its `finally` clauses.

    Uvicorn raises the signal again once it has drained, and the default handler would then kill
    the process.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
