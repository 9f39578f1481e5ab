"""Proxies that the environment names, and that nobody can reach."""

_ADDRESS = "http://127.0.0.1:9"
_NAMES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")

DEAD_PROXIES = {name: _ADDRESS for lower in _NAMES for name in (lower, lower.upper())}
"""Variables of the environment. Some libraries read only the names in small letters."""
