"""Open parts of a job: their leases, their attempts, and their pauses."""

from dataclasses import dataclass

from services.indexer.jobs.manifest import Attempts, PartKey
from services.indexer.jobs.waiting import Waiting

MAX_ATTEMPTS = 3
"""Attempts after which a part is halved, and a single document is rejected."""
PLANNING_ATTEMPTS = 12
"""Attempts at planning. Planning cannot be halved, and its failure is the job's, for which several
dead workers are no proof."""
PLANNING = PartKey(999_999_999, 0, 0)
"""Key that stands for the planning of the input, which is leased like a part."""


@dataclass(slots=True)
class Lease:
    """The right of one worker to work on a part until it expires."""

    token: str
    worker: str
    expires: float
    writing: bool = False
    """Whether rows of the part are being written; the lease cannot run out until that has ended."""


@dataclass(slots=True)
class OpenPart:
    """A part that has no result yet."""

    attempts: int = 0
    lease: Lease | None = None
    queued_at: float | None = None
    """Time, in seconds of the book's clock, at which a message for the part was put into the queue;
    None if one is needed."""
    reason: str = ""
    """Reason why the last attempt failed."""
    waiting: Waiting | None = None
    """The pause before the next attempt; None if no pause is needed."""
    former_token: str = ""
    """After a restart of the service, the token of the lease that was given before it."""
    recovered_at: float | None = None
    """Time, in seconds of the book's clock, at which this process first looked at the part after a
    restart; None if nobody worked on the part before."""

    @classmethod
    def recovered(cls, before: Attempts | None) -> "OpenPart":
        """A part after a restart, with the attempts that were made at it before."""
        if before is None:
            return cls()
        return cls(attempts=before.attempts, reason=before.reason, former_token=before.token)


def most_attempts(key: PartKey) -> int:
    """Number of attempts after which a part is given up, halved or rejected."""
    return PLANNING_ATTEMPTS if key == PLANNING else MAX_ATTEMPTS
