"""Gateways of our own, as processes, before the services of a running stack."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.servers import free_port
from tests.stack import Stack
from tests.waiting import eventually

OPERATOR_KEY = "operator-key-of-the-tests-0123456789abcdef"
ORIGIN = "https://library.example"
"""Origin of pages that may call the gateway `keyed`."""


def environment(stack: Stack, **changes: str) -> dict[str, str]:
    """Of a gateway; `changes` are its settings: port="8000"."""
    settings = stack.settings
    addresses = {
        "recall_url": f"http://127.0.0.1:{settings.recall_port}",
        "rank_url": f"http://127.0.0.1:{settings.rank_port}",
        "indexer_url": f"http://127.0.0.1:{settings.indexer_port}",
        "state_redis_url": f"redis://127.0.0.1:{settings.state_port}/0",
        "cache_redis_url": f"redis://127.0.0.1:{settings.cache_port}/0",
    }
    chosen = addresses | changes
    return {**os.environ, **{f"XUNWEN_GATEWAY_{name.upper()}": chosen[name] for name in chosen}}


def started(env: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "services.gateway"], env=env, text=True, stderr=subprocess.PIPE
    )


@contextmanager
def gateway(stack: Stack, **changes: str) -> Iterator[str]:
    """The address of one that is ready, with a log of its own that is read at the end."""
    port = free_port()
    log = stack.home / "logs" / f"gateway-{port}.log"
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.gateway"],
            env=environment(stack, port=str(port), **changes),
            stderr=written,
        )
        try:
            await_ready(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def await_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Returns when /readyz says so."""

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{url} ended with {process.returncode}")
        try:
            return httpx.get(f"{url}/readyz").is_success
        except httpx.TransportError:
            return False

    eventually(ready)
