"""Sockets on which services listen."""

import socket

from services.common.errors import StartFailed


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to `host` and `port`. Raises OSError if the address is taken or belongs to
    another machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol. With it on,
    # the body of a response waits up to 40 ms for the acknowledgement of its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def listener(host: str, port: int) -> socket.socket:
    """A socket bound to `host` and `port`. Raises StartFailed, which says why that cannot be."""
    try:
        return bind(host, port)
    except OSError as error:
        raise StartFailed(f"cannot listen on {host}:{port}: {error.strerror}") from error
