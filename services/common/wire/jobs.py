"""Bulk-index jobs: the options of a caller and the report."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from services.common.collection import NAME_PATTERN
from services.common.patterns import explained
from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.parameters import ListParameter, Parameters, PartitionName

JOB_ID = explained(
    r"^[A-Za-z0-9_-]{1,64}$", "write the id of a job, as the call that began it gave it"
)
"""Pattern of the ids of jobs."""
MAX_PAGE = 200


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_ERRORS = "succeeded_with_errors"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)


class JobMode(StrEnum):
    """The purpose of a job: `upsert` adds and replaces documents, `rebuild` replaces the whole
    collection, and `import` fills an empty one by the bulk import of a Milvus server."""

    UPSERT = "upsert"
    REBUILD = "rebuild"
    IMPORT = "import"

    @property
    def builds(self) -> bool:
        """Whether the job fills a new index, which answers only when the job has succeeded."""
        return self is not JobMode.UPSERT


class JobOptions(BaseModel):
    """The query parameters of a job, as the gateway takes them and hands them to the indexer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: str = Field(
        pattern=NAME_PATTERN,
        description="Collection of the documents; it is made if it does not exist",
    )
    mode: JobMode = JobMode.UPSERT
    format: InputFormat | None = Field(
        default=None,
        description="Format of the input; needed if no content type or file name tells it",
    )
    mapping: str | None = Field(
        default=None,
        max_length=2_000,
        description="The columns as JSON: `id`, `title`, `text`, `body` and `vector` name one each,"
        " `fields`, `types` and `lists` several, as in `docs/indexing.md`",
        examples=['{"id": "no", "title": "name", "text": "body"}'],
    )
    name: str | None = Field(
        default=None,
        max_length=512,
        description="Name of the file: the id of a document that is a whole file, and what tells"
        " the format where `format` does not",
    )
    charset: Charset | None = Field(
        default=None,
        description="Charset of an input that is not UTF-8: gb18030 (also gbk), big5 or utf-16",
    )
    max_errors: int | None = Field(
        default=None, ge=0, description="The job fails with more rejected documents than this"
    )
    encoder: str | None = Field(
        default=None,
        max_length=64,
        description="Fingerprint of the encoder that made the vectors, when `mapping` names a"
        " column of ready-made ones or `vectors` a matrix; without vectors, of the encoder that a"
        " new collection or a rebuild gets",
    )
    force: bool = Field(
        default=False,
        description="A rebuild switches although the new index answers golden queries worse",
    )
    partition: PartitionName | None = Field(
        default=None,
        description="Partition of every document: the value of the field that the collection has as"
        " its partition key; a document that names another one is rejected",
    )
    source: str | None = Field(
        default=None,
        max_length=2_000,
        description="Path or s3:// address of the input, instead of a body, under a root that the"
        " operator allowed",
    )
    vectors: str | None = Field(
        default=None,
        max_length=2_000,
        description="Address of a .npy matrix with a row for each document of `source`",
    )

    def params(self) -> dict[str, str]:
        """The options that are set, as query parameters. A switch that is off is left out."""
        return {
            name: str(value)
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
            if value is not False
        }


class JobCounts(BaseModel):
    """Exact numbers of the lines of a job's input, by what became of them. After success, read =
    indexed + rejected + deduplicated."""

    read: int = 0
    indexed: int = 0
    rejected: int = 0
    deduplicated: int = Field(default=0, description="Lines whose id came again later in the input")


class Job(BaseModel):
    """The report of a job."""

    id: str
    collection: str
    mode: JobMode
    format: InputFormat
    name: str = Field(default="", description="Name of the file, if it is known")
    charset: Charset | None = Field(
        default=None,
        description="Declared or recognised charset; null for UTF-8 or if each file has its own",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Columns that were taken for `id`, `title` and `text`, where they have other"
        " names",
    )
    state: JobState
    counts: JobCounts
    total: int | None = Field(
        default=None, description="Number of documents in the input, once it is known"
    )
    rate: float | None = Field(default=None, description="Documents per second while the job runs")
    eta_seconds: float | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = Field(
        default="",
        description="Reason of a failure, cause of waiting, how far the comparison of a rebuild is"
        " and its figures, or reasons why lines were rejected",
    )


class JobAccepted(BaseModel):
    """The answer to a submission."""

    job_id: str
    state: JobState


class JobPageOptions(Parameters):
    """The jobs that a page lists."""

    collection: str | None = Field(
        default=None, pattern=NAME_PATTERN, description="Lists the jobs of this collection only"
    )
    state: ListParameter[JobState] = Field(
        default=None,
        min_length=1,
        description="Lists the jobs in these states only, with commas between them:"
        f" {', '.join(JobState)}",
        examples=["failed,succeeded_with_errors"],
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Jobs of a page")
    after: str | None = Field(default=None, pattern=JOB_ID, description="`next` of the page before")


class JobPage(BaseModel):
    """A page of jobs."""

    jobs: list[Job] = Field(description="Newest first")
    next: str | None = Field(
        default=None, description="Value of `after` for the next page; null on the last one"
    )
