"""What is durable about a job. Everything else can be worked out again from these objects."""

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from services.common.wire.jobs import InputFormat, JobCounts, JobMode, JobState


class _Durable(BaseModel):
    model_config = ConfigDict(frozen=True)


class FieldMapping(_Durable):
    """Which columns or keys of the input are a document's id, title, text, fields, vector."""

    model_config = ConfigDict(extra="forbid")  # a misspelt name would lose a column in silence

    id: str = "id"
    title: str = "title"
    text: str = "text"
    fields: list[str] | dict[str, str] | None = Field(
        default=None,
        description="The metadata to take, or {name of the field: column}; without it, all others",
    )
    vector: str | None = Field(default=None, description="Ready-made vectors, if any")

    def columns(self) -> list[str]:
        """Those that the named fields come from."""
        return list(self.fields.values() if isinstance(self.fields, dict) else self.fields or [])


class JobManifest(_Durable):
    """The accepted job. Written last, after its input: from then on nothing is lost."""

    id: str
    collection: str
    mode: JobMode
    format: InputFormat
    version: int
    """Nanoseconds since the epoch at acceptance; the version of the rows it writes."""
    created_at: datetime
    mapping: FieldMapping = FieldMapping()
    max_errors: int | None = None
    from_collection: bool = False
    """A rebuild out of the collection's own documents; its input is exported by the service."""
    vectors: bool = False
    """A `.npy` matrix lies beside the input, one row per document."""
    input_bytes: int = 0
    input_sha256: str = ""
    idempotency_key: str | None = None


class PartKey(NamedTuple):
    """Documents [start, stop) of part `part`; the unit that is leased and written."""

    part: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.part:06d}-{self.start}-{self.stop}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        match = re.fullmatch(r"(\d{6,9})-(\d{1,6})-(\d{1,6})", text)
        return cls(*map(int, match.groups())) if match else None

    @property
    def documents(self) -> int:
        return self.stop - self.start

    def halves(self) -> "tuple[PartKey, PartKey]":
        middle = (self.start + self.stop) // 2
        return PartKey(self.part, self.start, middle), PartKey(self.part, middle, self.stop)


class Plan(_Durable):
    """How an input was cut. Parts hold clean documents with unique ids and nothing else."""

    token: str
    """The planner's lease; parts lie under it, so that a late second planner disturbs nothing."""
    parts: list[int]
    """Documents per part."""
    read: int
    rejected: int
    deduplicated: int

    @property
    def documents(self) -> int:
        return sum(self.parts)

    def keys(self) -> list[PartKey]:
        return [PartKey(part, 0, size) for part, size in enumerate(self.parts) if size]


class Rejection(_Durable):
    """A line that did not go in, as `GET /index-jobs/{id}/errors` returns it."""

    line: int = Field(description="1-based line, or row of a table, in the input")
    reason: str
    content: str = Field(default="", description="The line, at most 1,000 characters of it")


class PartResult(_Durable):
    """How a part ended. Recorded once per part, so that doing it twice counts once."""

    indexed: int
    rejected: list[Rejection] = []


class JobEnd(_Durable):
    state: JobState
    counts: JobCounts
    finished_at: datetime
    message: str = ""
    planner: str | None = None
    """When planning failed: the planner's token, under which the rejected lines lie."""


def now() -> datetime:
    return datetime.now(UTC)
