"""Settings of the indexer's two programs, one environment prefix."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.model_dir import WantedPrecision
from services.common.settings import ServiceSettings
from services.indexer.index.choice import IndexChoice, IndexKind


class IndexerSettings(ServiceSettings):
    """`XUNWEN_INDEXER_<NAME>` in the environment; shared by the service and its workers."""

    model_config = SettingsConfigDict(env_prefix="XUNWEN_INDEXER_", frozen=True, extra="ignore")

    port: int = Field(default=8003, ge=0, le=65535)
    url: str = "http://127.0.0.1:8003"
    """Where workers reach the service."""
    milvus_uri: str = "http://127.0.0.1:19530"
    milvus_token: SecretStr | None = None
    vector_index: IndexKind = IndexKind.AUTO
    """AUTO: FLAT on milvus-lite; else HNSW, and IVF_SQ8 where a rebuild finds many millions."""
    hnsw_m: int = Field(default=16, ge=4, le=64)
    hnsw_ef_construction: int = Field(default=200, ge=8, le=2048)
    ivf_lists: int = Field(default=0, ge=0, le=65_536)
    """0: by the number of documents."""
    state_redis_url: str = "redis://127.0.0.1:6379/0"
    storage_url: str = "var/indexer"
    """A directory or an fsspec address such as s3://bucket/prefix; holds accepted input."""
    source_roots: list[str] = Field(default_factory=list)
    """Directories or s3:// prefixes from which a job may name its input; none by default."""
    recall_url: str = "http://127.0.0.1:8001"
    model_dir: Path = Path("models/literature-encoder")
    dictionaries: Path | None = None
    """A folder of user dictionaries, <collection>.txt."""
    queue: str = "xunwen-index"
    """Celery queue; installations that share a Redis need different names."""

    max_input_bytes: int = Field(default=16 << 30, gt=0)
    part_documents: int = Field(default=1000, ge=1, le=10_000)
    lease_seconds: float = Field(default=30.0, gt=0)
    """A part whose worker has not been heard of for this long is given to another."""
    role_seconds: float = Field(default=5.0, gt=0)
    """How long the writer's role stays taken after its holder fell silent."""
    expected_workers: int = Field(default=0, ge=0)
    """Fewer than this many make the service not ready; 0 where workers scale to zero."""
    retention_days: float = Field(default=30.0, gt=0)
    retained_jobs: int = Field(default=1000, ge=1)

    worker_port: int = Field(default=0, ge=0, le=65535)
    """Where a worker answers /livez and /metrics; 0: nowhere."""
    threads: int = Field(default=0, ge=0)
    """Cores of a worker's encoder; 0 takes every one."""
    precision: WantedPrecision = "auto"

    def index_choice(self) -> IndexChoice:
        return IndexChoice(
            self.vector_index, self.hnsw_m, self.hnsw_ef_construction, self.ivf_lists
        )
