"""Which servers are asked through the proxies that the environment names."""

import ipaddress
import socket
from urllib.parse import urlsplit


def asks_proxies(url: str) -> bool:
    """Whether a client of `url` uses the proxies of the environment, such as HTTP_PROXY.

    It does not for a server on this machine, which a proxy elsewhere need not be able to reach. Of
    names only `localhost` means this machine, since names are not looked up.
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return False
    try:
        family = socket.AF_INET if ipaddress.ip_address(host).version == 4 else socket.AF_INET6
    except ValueError:
        return True
    return not _is_ours(host, family)


def _is_ours(address: str, family: socket.AddressFamily) -> bool:
    """Whether the address belongs to this machine: only then a socket can be bound to it."""
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
