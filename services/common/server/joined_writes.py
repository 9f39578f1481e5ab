"""Writes head and body of a response at once, so that the client wakes up once for both."""

import asyncio

_MAX_HELD_BYTES = 65_536
"""Bytes beyond which nothing is held, so that the transport can say that its buffer is full."""


class JoinedWrites(asyncio.Transport):
    """A transport that holds what is written until `flush`, or until the event loop is free.

    It passes on to `transport` what a connection needs for its responses, and no more.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(bytes(data))
        self._held_bytes += len(data)
        if self._held_bytes > _MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands over what is held; what the connection can no longer send is dropped."""
        held, self._held, self._held_bytes = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
