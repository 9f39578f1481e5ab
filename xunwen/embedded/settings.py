"""Settings of the embedded system, read from the environment with the prefix XUNWEN_."""

import json
import os
import socket
from pathlib import Path
from typing import Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from xunwen.embedded.errors import EmbeddedError

_CHECKOUT = Path(__file__).resolve().parents[2]


def _root() -> Path:
    """Where models/, data/ and var/ lie: the checkout, or here when installed as a package."""
    return _CHECKOUT if (_CHECKOUT / "models").is_dir() else Path.cwd()


class EmbeddedSettings(BaseSettings):
    """Each field is an environment variable: `gateway_port` is XUNWEN_GATEWAY_PORT."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="XUNWEN_")

    home: Path = Field(default_factory=lambda: _root() / "var")
    encoder: Path = Field(default_factory=lambda: _root() / "models" / "literature-encoder")
    ranker: Path = Field(default_factory=lambda: _root() / "models" / "literature-ranker")
    sample: Path = Field(default_factory=lambda: _root() / "data")
    """The folder of the sample literature's files, literature_*.jsonl."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=0, le=65535)
    recall_port: int = Field(default=8001, ge=0, le=65535)
    rank_port: int = Field(default=8002, ge=0, le=65535)
    indexer_port: int = Field(default=8003, ge=0, le=65535)
    milvus_port: int = Field(default=8004, ge=0, le=65535)
    state_port: int = Field(default=8005, ge=0, le=65535)
    cache_port: int = Field(default=8006, ge=0, le=65535)
    """Port 0 means any free port; `xunwen status` shows which."""

    cache_mb: int = Field(default=128, ge=1)
    min_free_mb: int = Field(default=1024, ge=0)
    """Less free space than this under the home directory is a full disk."""
    start_seconds: float = Field(default=180.0, gt=0)
    """How long all parts together may take until they are ready."""

    recall_threads: int = Field(default_factory=lambda: cores(), ge=1)
    rank_threads: int = Field(default_factory=lambda: cores(), ge=1)
    worker_threads: int = Field(default_factory=lambda: cores(), ge=1)
    """All cores each: a search uses recall and rank in turn, and the worker runs at low
    priority, so that it takes what searches leave."""

    def resolved(self) -> Self:
        """The same with absolute paths, and free ports in the place of zeros."""
        changes: dict[str, Path | int] = {
            name: getattr(self, name).expanduser().resolve()
            for name in ("home", "encoder", "ranker", "sample")
        }
        taken = {getattr(self, name) for name in PORTS}
        for name in PORTS:
            if getattr(self, name) == 0:
                changes[name] = _free_port(taken)
        return self.model_copy(update=changes)

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        return self.home / "logs"

    @property
    def dictionaries(self) -> Path:
        """Of user dictionaries, <collection>.txt; read at each start."""
        return self.home / "dictionaries"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"


def last_settings(settings: EmbeddedSettings) -> EmbeddedSettings:
    """The settings of the last start in this home directory; the given ones if none was."""
    home = settings.home.expanduser().resolve()
    try:
        noted = json.loads((home / "run" / "settings.json").read_bytes())
        return EmbeddedSettings(**noted)
    except (OSError, ValueError):
        return settings.resolved()


PORTS = tuple(name for name in EmbeddedSettings.model_fields if name.endswith("_port"))


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"XUNWEN_{field.upper()}"


def cores() -> int:
    """Cores this process may use."""
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
