"""What the head of a request may be: the rules that the parser of HTTP does not check itself."""

import re
from collections.abc import Sequence

from services.common.errors import HeadTooLarge, MalformedRequest, SearchError

MAX_HEAD_BYTES = 65_536
"""Longest head of a request in bytes: the address and the lines of all headers, as they are sent.
Trailers and the extensions of chunks may have no more, either."""

_LINE_BYTES = len(":\r\n")
"""Bytes in the line of a header beside its name and its value."""

Header = tuple[bytes, bytes]
"""The name in small letters and the value of a header."""


def percent_encoded(line: bytes) -> bytes:
    """A line with the bytes beyond ASCII percent-encoded, as an address has to have them."""
    if line.isascii():
        return line
    return re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % byte[0][0], line)


def fault_of(
    method: bytes, address: bytes, version: str, headers: Sequence[Header]
) -> SearchError | None:
    """Why a head that the parser has read is refused, or None if it is allowed.

    Proxies that read such a head in another way than the service does could be made to take a part
    of one request for a request of its own.
    """
    if version not in ("1.0", "1.1"):
        return MalformedRequest("The request is of another version than HTTP/1.0 and HTTP/1.1.")
    if method == b"CONNECT":
        return MalformedRequest("The service opens no tunnels; use another method than CONNECT.")
    hosts, size = 0, len(address)
    for name, value in headers:
        size += len(name) + len(value) + _LINE_BYTES
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and (version == "1.0" or value.lower() != b"chunked"):
            return MalformedRequest("The only Transfer-Encoding is `chunked`, in HTTP/1.1.")
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return MalformedRequest("The request needs one Host header.")
    return too_large() if size > MAX_HEAD_BYTES else None


def too_large() -> HeadTooLarge:
    """The error of a head of more than MAX_HEAD_BYTES."""
    return HeadTooLarge(
        f"Address and lines of headers together are larger than {MAX_HEAD_BYTES:,} bytes; send long"
        " values in a body."
    )
