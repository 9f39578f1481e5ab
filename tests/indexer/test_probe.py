"""The port of a worker's probes."""

import os
import socket
import subprocess
import sys

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.common.server.listening import bind
from services.indexer.work.probe import probe_server


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
def test_every_address_of_a_machine_can_be_listened_on(host: str) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    late = False
    listener = bind(host, 0)
    port = listener.getsockname()[1]
    with probe_server(listener, CollectorRegistry(), lambda: late):
        asked = f"http://{'[::1]' if ':' in host else host}:{port}/livez"
        assert httpx.get(asked).status_code == 200
        late = True
        assert httpx.get(asked).status_code == 503


def test_a_port_that_is_taken_ends_the_worker_with_one_line() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "services.indexer.worker"],
            env={**os.environ, "XUNWEN_INDEXER_WORKER_PORT": str(port)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr == f"worker: cannot listen on 127.0.0.1:{port}: Address already in use\n"
