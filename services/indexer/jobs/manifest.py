"""The durable objects of a job, from which everything else is derived."""

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JobCounts, JobMode, JobState
from services.indexer.intake.mapping import FieldMapping


class _Durable(BaseModel):
    model_config = ConfigDict(frozen=True)


class JobManifest(_Durable):
    """The accepted job. It is written last, after the input: from then on nothing is lost."""

    id: str
    collection: str
    mode: JobMode
    format: InputFormat
    version: int
    """The time of acceptance in nanoseconds since the epoch, and the version of its rows."""
    created_at: datetime
    mapping: FieldMapping = FieldMapping()
    name: str = ""
    """Name of the file, as far as it is known."""
    charset: Charset | None = Charset.UTF8
    """Declared or recognised charset; None recognises that of each file. Manifests of versions
    before 0.2 always have one."""
    max_errors: int | None = None
    partition: str | None = None
    """Partition of every document; None leaves that to the documents."""
    encoder: str | None = None
    """Fingerprint of the encoder of a rebuild, or of vectors that the input holds; otherwise, and
    in manifests of versions before 0.2, None."""
    named_encoder: str | None = None
    """Fingerprint of the encoder that the caller named; None if one was chosen."""
    analyzer: str | None = None
    """Identity of the word analysis of a rebuild; None in other jobs and in manifests of versions
    before 0.2, which follow the files of dictionaries."""
    force: bool = False
    """Whether a rebuild switches even if the new index answers worse."""
    from_collection: bool = False
    """Whether the job is a rebuild from the collection's own documents, which the indexer
    exports."""
    vectors: bool = False
    """Whether a `.npy` matrix lies beside the input, with a row for each document."""
    input_bytes: int = 0
    input_sha256: str = ""
    vectors_sha256: str = ""
    idempotency_key: str | None = None

    @property
    def most_rejected(self) -> int | None:
        """The number of lines that the job may reject; with more it fails. None for any number.

        A rebuild out of the collection itself would lose what it rejects, so it may reject nothing
        unless `force` allows that.
        """
        return 0 if self.from_collection and not self.force else self.max_errors


class PartKey(NamedTuple):
    """Documents [start, stop) of part `part`; the unit that is leased and written."""

    part: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.part:06d}-{self.start}-{self.stop}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key that a text names; None if it names none."""
        match = re.fullmatch(r"(\d{6,9})-(\d{1,6})-(\d{1,6})", text)
        return cls(*map(int, match.groups())) if match else None

    @property
    def documents(self) -> int:
        """Number of documents of the part."""
        return self.stop - self.start

    def halves(self) -> "tuple[PartKey, PartKey]":
        """The two halves of the part."""
        middle = (self.start + self.stop) // 2
        return PartKey(self.part, self.start, middle), PartKey(self.part, middle, self.stop)


class Attempts(_Durable):
    """The number of attempts at a part. It is durable before the work begins, so that it survives
    restarts."""

    attempts: int
    token: str = ""
    """Token of the last lease, with which a worker continues after a restart of the indexer."""
    reason: str = ""
    """Reason why the attempt before failed."""


class RejectionKind(_Durable):
    """A kind of reason for which lines were rejected, with their number."""

    reason: str
    """The reason in the words of the first line that has it."""
    lines: int
    first: int
    """Number of the first line, from 1; 0 for a whole file or input."""
    file: str = ""
    """Name of the file in a zip that the first is in."""


class Plan(_Durable):
    """The division of an input into parts, which hold clean documents with unique ids."""

    token: str
    """Token of the planner's lease. Parts lie under it, so that a second planner that comes too
    late disturbs nothing."""
    parts: list[int]
    """Number of documents of each part."""
    read: int
    rejected: int
    deduplicated: int
    kinds: list[RejectionKind] = []
    """Kinds of reasons for which lines were rejected, the most frequent first."""

    @property
    def documents(self) -> int:
        """Number of documents of all parts."""
        return sum(self.parts)

    def keys(self) -> list[PartKey]:
        """The keys of all parts that hold documents."""
        return [PartKey(part, 0, size) for part, size in enumerate(self.parts) if size]


class Rejection(_Durable):
    """A line that was not indexed, as `GET /index-jobs/{id}/errors` returns it."""

    line: int = Field(
        description="Number of the line or row in the input, from 1; 0: a whole file or input"
    )
    file: str = Field(default="", description="Name of the file in a zip")
    reason: str
    content: str = Field(
        default="", description="The beginning of the line, at most 1,000 characters"
    )


class PartResult(_Durable):
    """The result of a part. It is recorded once per part, so that doing a part twice counts
    once."""

    indexed: int
    rejected: list[Rejection] = []
    token: str = ""
    """Token of the lease under which the rows lie that an import takes; empty in other jobs."""
    passages: int = 0
    """Number of passages of these rows."""


class JobEnd(_Durable):
    """The end of a job, with its exact counts."""

    state: JobState
    counts: JobCounts
    finished_at: datetime
    message: str = ""
    planner: str | None = None
    """The planner's token if planning failed; the rejected lines lie under it."""


def now() -> datetime:
    """The present time in UTC."""
    return datetime.now(UTC)
