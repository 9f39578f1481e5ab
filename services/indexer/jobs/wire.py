"""Messages between workers and the indexer: claims, leases, results. Internal to this service."""

from pydantic import BaseModel, ConfigDict, Field

from services.common.fields.types import FieldType
from services.indexer.jobs.manifest import JobManifest, Plan


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Claim(_Message):
    """A worker asks for the lease on a part."""

    worker: str
    encoders: list[str] = Field(description="Fingerprints of the worker's encoders")


class Granted(_Message):
    """A lease, and all that the work needs besides the objects in storage."""

    token: str
    lease_seconds: float
    manifest: JobManifest
    plan_token: str | None = Field(
        default=None, description="Token under which the parts lie; None asks the worker to plan"
    )
    dimension: int = Field(description="Fingerprint of the encoder of vectors that the input holds")
    encoders: list[str] = Field(
        description="Fingerprints of the encoders by which its documents must have vectors"
    )
    analyzer: str = Field(description="Identity of the word analysis of the collection")
    types: dict[str, FieldType] = Field(
        default_factory=dict, description="Declared types of the collection's fields"
    )
    partition: dict[str, str] = Field(
        default_factory=dict,
        description="The partition key and its value in every document; empty leaves the values to"
        " the documents",
    )
    part_documents: int
    columns: list[str] | None = Field(
        default=None,
        description="Columns of the collection that an import fills; the worker stores the rows."
        " None asks it to send them",
    )


class StoredRows(_Message):
    """A worker has stored the rows of a part for an import."""

    worker: str
    token: str
    passages: int = Field(description="Number of passages of the rows")


class Renewal(_Message):
    """A worker continues with a part."""

    worker: str
    token: str
    read: int = Field(default=0, description="Number of lines read so far while planning")


class Release(_Message):
    """A part goes back without an attempt being counted."""

    token: str
    reason: str = Field(
        default="", description="Reason why the worker gives the part back; empty if it stops"
    )


class Failure(_Message):
    """A worker failed at a part; the attempt counts."""

    token: str
    reason: str


class Planned(_Message):
    """The end of planning: a plan, or the reason why the input as a whole is unusable."""

    token: str
    plan: Plan | None = None
    message: str = ""
    read: int = 0
    rejected: int = 0


class Heartbeat(_Message):
    """A worker is alive."""

    worker: str
