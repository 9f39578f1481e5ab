"""Settings of the embedded system, read from the environment with the prefix XUNWEN_."""

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.precision import WantedPrecision
from services.common.settings import PathList
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.hosts import reached_host

_CHECKOUT = Path(__file__).resolve().parents[2]


def _root() -> Path:
    """The folder with models/, data/ and var/: the checkout, or the working directory of an
    installed package."""
    return _CHECKOUT if (_CHECKOUT / "models").is_dir() else Path.cwd()


class EmbeddedSettings(BaseSettings):
    """The settings of the embedded system; the field `gateway_port` is the variable
    XUNWEN_GATEWAY_PORT."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_prefix="XUNWEN_", env_ignore_empty=True
    )

    home: Path = Field(default_factory=lambda: _root() / "var")
    """Directory of everything that is stored: index, jobs, keys, logs."""
    encoder: Path = Field(default_factory=lambda: _root() / "models" / "literature-encoder")
    """Model directory of the encoder of collections that name none."""
    encoders: PathList = Field(default_factory=list)
    """Model directories of further encoders, as a JSON list: those of collections that were filled
    before a change of encoder, or that name their own."""
    ranker: Path = Field(default_factory=lambda: _root() / "models" / "literature-ranker")
    """Model directory of the ranker."""
    sample: Path = Field(default_factory=lambda: _root() / "data")
    """Folder of the sample literature, files `literature_*.jsonl`, which is indexed at the
    first start."""

    gateway_host: str = "127.0.0.1"
    """Address on which the gateway listens; `0.0.0.0` or `::` means all addresses of the machine.
    Beyond loopback it asks for API keys."""
    gateway_port: int = Field(default=8000, ge=0, le=65535)
    """Port of the gateway and the web page. For this and all ports below, 0 takes any free
    one, and `xunwen status` shows which."""
    recall_port: int = Field(default=8001, ge=0, le=65535)
    """Port of the recall service."""
    rank_port: int = Field(default=8002, ge=0, le=65535)
    """Port of the rank service."""
    indexer_port: int = Field(default=8003, ge=0, le=65535)
    """Port of the indexer."""
    milvus_port: int = Field(default=8004, ge=0, le=65535)
    """Port of Milvus."""
    state_port: int = Field(default=8005, ge=0, le=65535)
    """Port of the Redis that keeps state."""
    cache_port: int = Field(default=8006, ge=0, le=65535)
    """Port of the Redis that caches answers."""

    cache_mb: int = Field(default=128, ge=1)
    """Memory of the Redis that caches answers."""
    min_free_mb: int = Field(default=1024, ge=0)
    """The system does not start with less free space than this under its home."""
    start_seconds: float = Field(default=600.0, gt=0)
    """How long all parts together may take to become ready. The index is read into memory
    meanwhile, which takes 10 s for 100,000 documents."""

    recall_threads: int = Field(default_factory=lambda: cores(), ge=1)
    """Cores of the recall service. A search uses recall and rank in turn, so both may have
    all."""
    rank_threads: int = Field(default_factory=lambda: cores(), ge=1)
    """Cores of the rank service."""
    indexer_precision: WantedPrecision = "small"
    """Arithmetic of the worker's encoder. The worker is idle most of the time on one machine, and
    the 600 MB that bfloat16 holds meanwhile are worth more than the fifth by which it encodes
    abstracts faster; `auto` takes the faster."""
    worker_threads: int = Field(default_factory=lambda: cores(), ge=1)
    """Cores of the worker. It runs at low priority, so that it takes what searches leave."""

    def resolved(self) -> Self:
        """A copy of the settings with absolute paths, and with a free port in place of each 0."""
        changes: dict[str, Any] = {
            name: getattr(self, name).expanduser().resolve()
            for name in ("home", "encoder", "ranker", "sample")
        }
        taken = {getattr(self, name) for name in PORTS}
        changes["encoders"] = [each.expanduser().resolve() for each in self.encoders]
        for name in PORTS:
            if getattr(self, name) == 0:
                changes[name] = _free_port(taken)
        return self.model_copy(update=changes)

    @property
    def run_dir(self) -> Path:
        """The folder of what the running system notes, such as its settings and process ids."""
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        """The folder of the logs of all parts."""
        return self.home / "logs"

    @property
    def dictionaries(self) -> Path:
        """The folder of user dictionaries `<collection>.txt`, which are read at each start."""
        return self.home / "dictionaries"

    @property
    def gateway_url(self) -> str:
        """The address of the gateway on this machine."""
        return f"http://{reached_host(self.gateway_host)}:{self.gateway_port}"

    @property
    def asks_for_keys(self) -> bool:
        """Whether the gateway asks for API keys, by its own settings."""
        # The address of the gateway is read from here also where the gateway is not installed.
        from services.gateway.settings import GatewaySettings

        return GatewaySettings(host=self.gateway_host).keys_on


def last_settings(settings: EmbeddedSettings) -> EmbeddedSettings:
    """The settings of the last start in this home directory; the given ones if none was."""
    home = settings.home.expanduser().resolve()
    try:
        noted = json.loads((home / "run" / "settings.json").read_bytes())
        # The note in a home that was copied or moved names the one that it comes from.
        return EmbeddedSettings(**{**noted, "home": home})
    except (OSError, ValueError, TypeError):
        return settings.resolved()


PORTS = tuple(name for name in EmbeddedSettings.model_fields if name.endswith("_port"))


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"XUNWEN_{field.upper()}"


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free_port(taken: set[int]) -> int:
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            taken.add(port)
            return port
    raise EmbeddedError("No free port was found on this machine.")
