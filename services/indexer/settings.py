"""Settings of the indexer and its workers, from the environment with the prefix XUNWEN_INDEXER_."""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.common.milvus_address import MilvusSettings
from services.common.objects import StorageUrl
from services.common.precision import WantedPrecision
from services.common.redis.address import StateRedisUrl
from services.common.settings import OptionalServiceUrl, PathList, ServiceUrl, TextList
from services.common.wire.golden import MAX_GOLDEN
from services.indexer.index.milvus.choice import IndexChoice, IndexKind


class IndexerSettings(MilvusSettings):
    """Settings that the service and its workers share, under the prefix XUNWEN_INDEXER_."""

    model_config = SettingsConfigDict(env_prefix="XUNWEN_INDEXER_", frozen=True, extra="ignore")

    port: int = Field(default=8003, ge=0, le=65535)
    """TCP port to listen on; 0 lets the system choose a free one."""
    url: ServiceUrl = "http://127.0.0.1:8003"
    """Address at which the workers reach the indexer."""
    milvus_file: Path | None = None
    """File of the embedded engine behind that address, whose tables get an index by document id;
    none for a Milvus server."""
    vector_index: IndexKind = IndexKind.AUTO
    """Kind of the vector index. `AUTO` takes FLAT in the embedded system, else HNSW, and
    IVF_SQ8 if a rebuild finds many millions of documents."""
    hnsw_m: int = Field(default=16, ge=4, le=64)
    """Number of links of each vector in an HNSW index."""
    hnsw_ef_construction: int = Field(default=200, ge=8, le=2048)
    """Size of the candidate list while an HNSW index is built."""
    ivf_lists: int = Field(default=0, ge=0, le=65_536)
    """IVF indexes: number of lists; 0 chooses it by the number of documents."""
    state_redis_url: StateRedisUrl = "redis://127.0.0.1:6379/0"
    """Redis that holds the job queue and index versions, a server or replicas behind Sentinel. It
    must be durable and evict nothing."""
    storage_url: StorageUrl = "var/indexer"
    """Where accepted input and results of jobs are stored: a directory, or an fsspec address
    such as s3://bucket/prefix."""
    import_url: StorageUrl = ""
    """Where Milvus reads the files of a bulk import (`mode=import`): s3://bucket/prefix in the
    bucket of Milvus's own storage, or a directory that Milvus sees under the same path. With none
    such jobs are refused."""
    source_roots: TextList = Field(default_factory=list)
    """Directories or s3:// prefixes from which a job may name its input, as a JSON list; none
    by default."""
    recall_url: ServiceUrl = "http://127.0.0.1:8001"
    """Address of the recall service, which encodes single documents."""
    rank_url: OptionalServiceUrl = ""
    """Address of the rank service, which ranks the answers to golden queries when a rebuild is
    compared with the index before; without one, the order of recall is compared."""
    model_dir: Path = Path("models/literature-encoder")
    """Model directory of the encoder of collections that name none."""
    encoders: PathList = Field(default_factory=list)
    """Model directories of further encoders, as a JSON list: those of collections that were filled
    before a change of encoder, or that name their own. Recall must name the same."""
    encoder_memory_mb: int = Field(default=2048, ge=0)
    """Memory that a worker's open encoders may take, counted by the size of their files; those
    that were not used for the longest are closed first."""
    golden_tolerance: float = Field(default=0.02, ge=0, le=1)
    """How much worse a rebuilt index may answer the collection's golden queries, in MRR@10 and in
    recall@100; one that loses more is not switched to."""
    golden_queries: int = Field(default=300, ge=10, le=MAX_GOLDEN)
    """Most golden queries that a rebuild asks of both indexes before it switches; of a larger set
    so many are drawn, the same ones each time."""
    dictionaries: Path | None = None
    """Folder of user dictionaries, one file `<collection>.txt` each; none by default."""
    queue: str = "xunwen-index"
    """Name of the Celery queue; installations that share a Redis need different names."""

    max_input_bytes: int = Field(default=16 << 30, gt=0)
    """Largest input of a job."""
    max_original_bytes: int = Field(default=64 << 20, ge=0)
    """Largest file in bytes that is kept as the original of its document, so that the page can show
    it; larger ones are indexed and not kept, and 0 keeps none."""
    ocr_command: str | None = None
    """Program of a worker that recognises the text of scanned pages: `paddleocr`, which the extra
    `ocr` installs, or a command that gets a PNG on standard input and writes text in UTF-8. With
    none, scanned PDFs are rejected with that reason."""
    part_documents: int = Field(default=1000, ge=1, le=10_000)
    """Documents of one part of a job, the unit of work of a worker."""
    lease_seconds: float = Field(default=30.0, gt=0)
    """A part is given to another worker if its own has not been heard of for this long."""
    role_seconds: float = Field(default=5.0, gt=0)
    """How long the role of the only writer stays taken after its holder has fallen silent."""
    expected_workers: int = Field(default=0, ge=0)
    """Number of workers without which the indexer is not ready; 0 fits installations that scale to
    zero."""
    retention_days: float = Field(default=30.0, gt=0)
    """How long the records of an ended job are kept."""
    retained_jobs: int = Field(default=1000, ge=1)
    """Number of ended jobs whose records are kept at most."""

    worker_port: int = Field(default=0, ge=0, le=65535)
    """Port on which a worker answers /livez and /metrics; 0 turns it off."""
    threads: int = Field(default=0, ge=0)
    """Cores that a worker's encoder may use; 0 takes every one."""
    precision: WantedPrecision = "auto"
    """Arithmetic of the worker's encoder: `auto` takes the fastest that the model allows on this
    processor, `small` (the embedded system's default) int8 if the model allows it, which needs
    600 MB less than bfloat16."""

    @field_validator("source_roots")
    @classmethod
    def _roots_are_read(cls, roots: list[str]) -> list[str]:
        for root in roots:
            scheme, separator, _ = root.partition("://")
            if separator and scheme not in ("file", "s3"):
                raise ValueError(f"{root!r} is neither a directory nor an s3:// prefix")
        return roots

    def index_choice(self) -> IndexChoice:
        """The kind of vector index and its parameters."""
        return IndexChoice(
            self.vector_index, self.hnsw_m, self.hnsw_ef_construction, self.ivf_lists
        )
