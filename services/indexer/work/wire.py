"""worker -> indexer: claims, leases, results. Internal to this service."""

from pydantic import BaseModel, ConfigDict, Field

from services.indexer.jobs.manifest import JobManifest, Plan


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Claim(_Message):
    worker: str
    encoder: str = Field(description="Fingerprint of the worker's encoder")


class Granted(_Message):
    """A lease, and all that the work needs beside the objects in storage."""

    token: str
    lease_seconds: float
    manifest: JobManifest
    plan_token: str | None = Field(default=None, description="Where the parts lie; None: plan")
    dimension: int
    analyzer: str = Field(description="Identity of the word analysis that its collection has")
    part_documents: int


class Renewal(_Message):
    worker: str
    token: str
    read: int = Field(default=0, description="Lines read so far, when planning")


class Failure(_Message):
    token: str
    reason: str


class Planned(_Message):
    """The end of planning: a plan, or why the input as a whole is unusable."""

    token: str
    plan: Plan | None = None
    message: str = ""
    read: int = 0
    rejected: int = 0


class Heartbeat(_Message):
    worker: str
