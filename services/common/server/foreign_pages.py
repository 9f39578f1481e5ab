"""Recognises what a browser sends for a page of another site to a server that asks for no key.

A browser sends a form or a plain text to any address without asking that first. And whoever owns a
domain can let one of its names mean this machine; the browser then takes the calls of their page
for calls of the site itself (DNS rebinding).
"""

import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import Headers

_READING = ("GET", "HEAD", "OPTIONS")
"""Methods of calls that change nothing."""
_OTHER_SITES = ("cross-site", "same-site")
"""What a browser says in `Sec-Fetch-Site` of a page of another origin; no page can set it. Browsers
send it to https and to loopback, and neither can be reached by the name of a stranger."""
_PRIVATE = re.compile(r"[^.]*|.+\.(localhost|local|internal)")
"""Names that nobody can register, such as `host.docker.internal`."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class ForeignPages:
    """Tells calls of foreign pages from others."""

    loopback: bool
    """Whether the server listens on loopback only, so that its callers know it by a name of this
    machine."""
    origins: frozenset[str] = frozenset()
    """Origins of other sites whose pages may call."""

    def renamed(self, headers: Headers) -> bool:
        """Whether a server on loopback is called by a name that may be a stranger's."""
        host = _host(headers)
        known = _is_private(host) or not self.origins.isdisjoint(
            (f"http://{host}", f"https://{host}")
        )
        return self.loopback and "sec-fetch-site" not in headers and not known

    def changes(self, method: str, headers: Headers) -> bool:
        """Whether a call may change something for a page that is not among the origins."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if method in _READING or origin in self.origins:
            return False
        if site is not None:
            return site in _OTHER_SITES
        host = _host(headers)
        return origin is not None and (origin.partition("://")[2] != host or not _is_private(host))


def _host(headers: Headers) -> str:
    return headers.get("host", "").lower()


def _is_private(host: str) -> bool:
    """Whether a `host` or `host:port` is an address or a name that no stranger can own."""
    name = re.sub(r":\d*$", "", host).strip("[]").removesuffix(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _PRIVATE.fullmatch(name) is not None
    return True
