"""What drives the jobs: a fault of one of them stops no other."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.common.errors import Unavailable
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.supervisor import _MOST_FAULTS, JobSupervisor


class Jobs:
    """Just so much of the indexer that the supervisor can look at jobs; `now` is its clock."""

    def __init__(self, *names: str) -> None:
        self.ledgers = {name: cast("JobLedger", _ledger(name)) for name in names}
        self.now = 0.0
        self.ended: dict[str, str] = {}
        self.sent: list[str] = []
        self.trouble: dict[str, Exception] = {}

    def supervisor(self) -> JobSupervisor:
        book = SimpleNamespace(
            loaded=True,
            clock=lambda: self.now,
            running=lambda: [one for name, one in self.ledgers.items() if name not in self.ended],
        )
        role = SimpleNamespace(holds=True, terms=0)
        housekeeping = SimpleNamespace(run=self.settle)
        parts = (book, self, self, self, self, role, housekeeping)
        supervisor = JobSupervisor(*(cast("Any", part) for part in parts))
        supervisor._begun = {(name, 1) for name in self.ledgers}
        return supervisor

    async def settle(self) -> None:
        """Nothing is written."""

    async def depth(self) -> int:
        return 0

    async def put_part(self, job: str, part: str, *, priority: int) -> None:
        if job in self.trouble:
            raise self.trouble[job]
        self.sent.append(job)

    put_plan = put_part

    async def failed(self, ledger: JobLedger, message: str) -> None:
        self.ended[ledger.manifest.id] = message


def _ledger(name: str) -> Any:
    part = SimpleNamespace(lease=None, queued_at=None)
    return SimpleNamespace(
        manifest=SimpleNamespace(id=name, version=1, input_bytes=1),
        open={name: part},
        results={},
        waiting=None,
        faults=0,
        cancelling=False,
        complete=False,
        expire=lambda now: None,
        hopeless=lambda now: "",
        exhausted=list,
        due=lambda now: [(name, part)],
    )


async def test_a_fault_of_one_job_stops_no_other_and_ends_it_in_words() -> None:
    jobs = Jobs("bad", "good")
    jobs.trouble["bad"] = RuntimeError("a bug")
    supervisor = jobs.supervisor()
    await supervisor._turn()
    assert jobs.sent == ["good"]
    for _ in range(_MOST_FAULTS):
        jobs.now += 1e5
        await supervisor._turn()
    assert list(jobs.ended) == ["bad"]
    assert "its log says why" in jobs.ended["bad"]
    assert jobs.ledgers["good"].waiting is None


async def test_a_fault_that_passes_leaves_no_trace() -> None:
    jobs = Jobs("once")
    jobs.trouble["once"] = RuntimeError("a bug")
    supervisor = jobs.supervisor()
    await supervisor._turn()
    assert jobs.ledgers["once"].waiting is not None
    del jobs.trouble["once"]
    await supervisor._turn()
    assert jobs.sent == []  # it waits a while before it is tried again
    jobs.now += 1e5
    await supervisor._turn()
    assert (jobs.sent, jobs.ended) == (["once"], {})
    assert jobs.ledgers["once"].waiting is None


async def test_a_queue_that_is_away_is_a_matter_of_all_jobs() -> None:
    jobs = Jobs("one", "two")
    jobs.trouble["one"] = Unavailable("The queue does not answer.")
    with pytest.raises(Unavailable):
        await jobs.supervisor()._turn()
    assert jobs.ledgers["one"].faults == 0
