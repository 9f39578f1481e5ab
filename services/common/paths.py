"""Writes text of users as one segment of a URL's path.

HTTP clients, browsers and proxies take a segment of one or two dots out of a path (RFC 3986,
section 5.2.4; WHATWG treats `%2E` alike), and an empty segment changes the route that a path names.
Such text cannot be part of an address, so it is refused before a path is made of it.
"""

from urllib.parse import quote

DOT_SEGMENTS = frozenset({".", ".."})


def segment(value: str) -> str:
    """`value` percent-encoded, so that it stays one segment.

    Raises ValueError for text that no path can hold: empty text, `.`, `..`, half a character.
    """
    if not value:
        raise ValueError("it is empty")
    if value in DOT_SEGMENTS:
        raise ValueError(f"{value!r} would be taken out of an address by clients and proxies")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character (a lone surrogate)") from error
