"""Pauses between attempts: each is twice as long as the one before, up to a limit."""

from dataclasses import dataclass

from services.common.errors import SearchError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0
PATIENCE_SECONDS = 24 * 3600.0
"""Seconds for which a job waits for a service or a disk that is away before it fails and can be
retried."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pause with its reason and the time of the next attempt. All times are monotonic."""

    reason: str
    """The reason as a sentence for users."""
    since: float
    tries: int
    until: float

    @classmethod
    def after(cls, before: "Waiting | None", reason: str, now: float) -> "Waiting":
        """The pause after a failure; `before` is the pause that preceded the failed try."""
        tries = 1 if before is None else before.tries + 1
        since = now if before is None else before.since
        return cls(reason, since, tries, now + _pause(tries))

    def over(self, now: float) -> bool:
        """Whether it is time for the next try."""
        return now >= self.until

    def hopeless(self, now: float) -> bool:
        """Whether the wait has lasted so long that the job must fail."""
        return now - self.since > PATIENCE_SECONDS

    @property
    def message(self) -> str:
        """The reason, and the time until the next try."""
        seconds = max(1, round(_pause(self.tries)))
        unit = "a second" if seconds == 1 else f"{seconds} seconds"
        return f"{self.reason} It is tried again within {unit}."


def reason_of(error: Exception) -> str:
    """The reason that users see for an error: its own message, if it is one of ours."""
    if isinstance(error, SearchError):
        return error.detail
    return "The indexer failed at a step of the job; its log says why."


def _pause(tries: int) -> float:
    return min(FIRST_SECONDS * 2.0 ** min(tries - 1, 20), LONGEST_SECONDS)
