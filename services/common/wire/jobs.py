"""Bulk-index jobs, as the indexer reports them and the gateway passes them on."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_ERRORS = "succeeded_with_errors"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)


class JobMode(StrEnum):
    UPSERT = "upsert"
    REBUILD = "rebuild"


class InputFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    LINES = "lines"


class JobCounts(BaseModel):
    """Exact. read = indexed + rejected + deduplicated once a job has succeeded."""

    read: int = 0
    indexed: int = 0
    rejected: int = 0
    deduplicated: int = Field(default=0, description="Earlier lines whose id came again later")


class Job(BaseModel):
    id: str
    collection: str
    mode: JobMode
    format: InputFormat
    state: JobState
    counts: JobCounts
    total: int | None = Field(default=None, description="Documents in the input once known")
    rate: float | None = Field(default=None, description="Documents a second, while it runs")
    eta_seconds: float | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = Field(default="", description="Why it failed, in words")


class JobAccepted(BaseModel):
    job_id: str
    state: JobState


class JobPage(BaseModel):
    jobs: list[Job] = Field(description="Newest first")
    next: str | None = Field(default=None, description="Pass as `after` for the next page")
