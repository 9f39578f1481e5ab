"""Calls on bulk-index jobs."""

from collections.abc import Sequence

from services.common.wire.jobs import Job, JobPage, JobPageOptions
from xunwen.client.calls.call import Call, job_path, parameters


def job(job_id: str) -> Call[Job]:
    """One job."""
    return Call("GET", job_path(job_id), Job)


def jobs(
    collection: str | None, state: str | Sequence[str] | None, after: str | None
) -> Call[JobPage]:
    """A page of the list of jobs. Raises XunwenError for a list that there cannot be."""
    states = [state] if isinstance(state, str) else state and list(state)
    members = {"collection": collection, "state": states, "after": after}
    options = parameters(JobPageOptions, "Jobs", members)
    return Call("GET", "/v1/index-jobs", JobPage, params=options)


def cancel(job_id: str) -> Call[Job]:
    """The cancellation of a job."""
    return Call("POST", f"{job_path(job_id)}:cancel", Job)


def retry(job_id: str) -> Call[Job]:
    """Another run of the failed parts of a job."""
    return Call("POST", f"{job_path(job_id)}:retry", Job, repeatable=False)


def errors_path(job_id: str) -> str:
    """The path of a job's rejected documents."""
    return f"{job_path(job_id)}/errors"


def events_path(job_id: str) -> str:
    """The path of a job's events."""
    return f"{job_path(job_id)}/events"
