"""The system on a Milvus server as a cluster has it: indexer, worker, recall, two gateways."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from services.common.model_dir import load_manifest
from tests.indexer.installation import Installation, Program, installation
from tests.models import tiny_encoder
from tests.servers import Server, free_port
from tests.waiting import eventually

_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class ClusterSystem:
    """Rank is away, which no search of these tests asks for."""

    installation: Installation
    encoders: tuple[str, str]
    """Fingerprints of the default encoder and of another one that is installed too."""
    gateways: tuple[str, str]
    """Their addresses."""


@contextmanager
def cluster_system(folder: Path, milvus: Server, **variables: Any) -> Iterator[ClusterSystem]:
    """Started and ready; `variables` are further ones of the environment."""
    second = tiny_encoder(folder / "second", seed=1)
    others = json.dumps([str(second)])
    variables |= {"XUNWEN_RECALL_ENCODERS": others, "XUNWEN_INDEXER_ENCODERS": others}
    with installation(folder, server=milvus, **variables) as running, ExitStack() as stack:
        encoders = tuple(load_manifest(path).fingerprint for path in (running.model, second))
        urls = []
        for number in range(2):
            port = free_port()
            env = running.env | {
                "XUNWEN_GATEWAY_PORT": str(port),
                "XUNWEN_GATEWAY_RECALL_URL": str(running.search.base_url).rstrip("/"),
                "XUNWEN_GATEWAY_INDEXER_URL": str(running.client.base_url).rstrip("/"),
                "XUNWEN_GATEWAY_RANK_URL": _NOWHERE,
                "XUNWEN_GATEWAY_STATE_REDIS_URL": running.redis.url,
                "XUNWEN_GATEWAY_CACHE_REDIS_URL": running.redis.url,
            }
            gateway = Program("services.gateway", env, folder / f"gateway{number}.log")
            gateway.start()
            stack.callback(gateway.stop)
            urls.append(f"http://127.0.0.1:{port}")
        for url in urls:
            eventually(partial(_ready, url), 240)
        yield ClusterSystem(running, (encoders[0], encoders[1]), (urls[0], urls[1]))


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False
