"""The host by which this machine reaches a server of its own."""

import ipaddress


def reached_host(host: str) -> str:
    """The host by which this machine reaches a server that listens on `host`, as it stands in an
    address: IPv6 in brackets, and loopback where `host` means all addresses of the machine."""
    if not host:  # Sockets take an empty host for 0.0.0.0.
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return "127.0.0.1" if address.is_unspecified else host
    return "[::1]" if address.is_unspecified else f"[{host}]"
