"""Which texts are addresses of HTTP servers."""

from urllib.parse import urlsplit

import httpx


def is_http_address(url: str) -> bool:
    """Whether calls can be sent to paths below the address: it has http or https, a host that a
    network can take and a possible port, and neither a query nor a fragment."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and not (parts.query or parts.fragment)
        return usable and parts.port != 0 and bool(httpx.URL(url).host.encode("idna"))
    except (ValueError, httpx.InvalidURL):
        return False
