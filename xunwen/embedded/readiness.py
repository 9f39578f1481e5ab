"""Asks a part whether it is ready."""

import socket

import httpx
import redis

from services.common.calls.certificates import trusted
from xunwen.embedded.parts import Part

_SECONDS = 3.0


def not_ready(part: Part) -> str:
    """The reason why a part does not answer yet; empty when it does.

    A part with the probe `process` counts as answering.
    """
    if part.port is None or part.probe == "process":
        return ""
    if part.probe == "http":
        return _readyz(f"http://{part.address}/readyz")
    if part.probe == "redis":
        return _ping(part.host, part.port)
    return _connects(part.host, part.port)


def _readyz(url: str) -> str:
    try:
        answer = httpx.get(url, timeout=_SECONDS, verify=trusted(url), trust_env=False)
        checks = answer.json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError):
        return "does not answer"
    if answer.is_success:
        return ""
    return "; ".join(
        f"{name}: {check['detail']}" for name, check in checks.items() if not check["ok"]
    )


def _ping(host: str, port: int) -> str:
    try:
        with redis.Redis(
            host, port, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as client:
            client.ping()
    except redis.RedisError as error:
        return str(error)
    return ""


def _connects(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return ""
    except OSError as error:
        return error.strerror or "does not answer"
