"""One running system for the tests of this folder that need one: it traces everything."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.collector import Traces, collector
from tests.servers import free_port
from tests.stack import Stack, first_papers, running_stack

DOCUMENTS = 60
PART_DOCUMENTS = 10


@dataclass(frozen=True, slots=True)
class Observed:
    stack: Stack
    traces: Traces
    worker_url: str
    """Where its worker answers /livez and /metrics."""


@pytest.fixture(scope="package")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A few papers in small parts, so that a job has many of them; one search was answered."""
    folder = tmp_path_factory.mktemp("observed")
    few = first_papers(folder, DOCUMENTS)
    port = free_port()
    with collector() as traces:
        settings = {
            f"{service}_trace_endpoint": traces.url
            for service in ("gateway", "recall", "rank", "indexer")
        }
        settings["indexer_worker_port"] = str(port)
        settings["indexer_part_documents"] = str(PART_DOCUMENTS)
        with running_stack(folder, few, **settings) as stack:
            body = {"query": "图像分割 神经网络", "collection": "literature"}
            httpx.post(f"{stack.url}/v1/search", json=body, timeout=60).raise_for_status()
            yield Observed(stack, traces, f"http://127.0.0.1:{port}")
