"""The ledger: leases, attempts, halving, exact counts; time is given, not waited for."""

import pytest

from services.common.errors import LeaseLost
from services.common.wire.input_formats import InputFormat
from services.common.wire.jobs import JobMode, JobState
from services.indexer.jobs.ledger import RECOVERY_SECONDS, JobLedger
from services.indexer.jobs.manifest import (
    Attempts,
    JobManifest,
    PartKey,
    PartResult,
    Plan,
    Rejection,
    now,
)
from services.indexer.jobs.parts import MAX_ATTEMPTS, PLANNING, PLANNING_ATTEMPTS
from services.indexer.jobs.report import report_of
from services.indexer.jobs.waiting import FIRST_SECONDS, LONGEST_SECONDS, PATIENCE_SECONDS

SECONDS = 10.0
FIRST, SECOND = PartKey(0, 0, 4), PartKey(1, 0, 2)


def ledger() -> JobLedger:
    manifest = JobManifest(
        id="job",
        collection="c",
        mode=JobMode.UPSERT,
        format=InputFormat.JSONL,
        version=1,
        created_at=now(),
    )
    plan = Plan(token="p", parts=[4, 2], read=9, rejected=1, deduplicated=2)
    return JobLedger.recover(manifest, plan, {}, set(), cancelling=False, end=None)


def test_a_part_has_one_holder_until_the_lease_runs_out() -> None:
    job = ledger()
    lease = job.claim(FIRST, "a", 0.0, SECONDS)
    with pytest.raises(LeaseLost):
        job.claim(FIRST, "b", 9.0, SECONDS)
    job.renew(FIRST, lease.token, "a", 9.0, SECONDS)
    job.expire(18.0)
    with pytest.raises(LeaseLost):
        job.claim(FIRST, "b", 18.0, SECONDS)
    job.expire(19.0)
    job.claim(FIRST, "b", 19.0, SECONDS)


def test_a_worker_that_wakes_up_late_has_lost_its_part() -> None:
    job = ledger()
    old = job.claim(FIRST, "a", 0.0, SECONDS)
    job.expire(20.0)
    with pytest.raises(LeaseLost):
        job.renew(FIRST, old.token, "a", 20.0, SECONDS)
    new = job.claim(FIRST, "b", 20.0, SECONDS)
    with pytest.raises(LeaseLost):
        job.failed(FIRST, old.token, "late")
    job.renew(FIRST, new.token, "b", 21.0, SECONDS)


def test_a_part_that_is_being_written_cannot_be_taken_away() -> None:
    job = ledger()
    lease = job.claim(FIRST, "a", 0.0, SECONDS)
    lease.writing = True
    job.expire(100.0)
    assert job.open[FIRST].lease is lease
    with pytest.raises(LeaseLost):
        job.claim(FIRST, "b", 100.0, SECONDS)


def test_planning_is_not_given_up_for_some_dead_workers() -> None:
    job = JobLedger.recover(ledger().manifest, None, {}, set(), cancelling=False, end=None)
    for attempt in range(PLANNING_ATTEMPTS):
        assert job.exhausted() == []
        job.claim(PLANNING, "a", attempt * 20.0, SECONDS)
        job.expire(attempt * 20.0 + 10.0)
    assert job.exhausted() == [PLANNING]


def test_after_a_restart_a_worker_goes_on_with_what_it_has() -> None:
    job = ledger()
    assert job.renew(FIRST, "from-before", "a", 0.0, SECONDS).token == "from-before"
    with pytest.raises(LeaseLost):
        job.claim(FIRST, "b", 1.0, SECONDS)


def test_a_part_that_keeps_failing_is_halved_down_to_the_document() -> None:
    job, poison, tried = ledger(), 2, 0
    clock = 0.0
    while True:
        for key in list(job.open):
            clock += 1
            lease = job.claim(key, "a", clock, SECONDS)
            tried += 1
            if key.part == 0 and key.start <= poison < key.stop:
                job.failed(key, lease.token, "it hurts")
            else:
                job.finish(key, PartResult(indexed=key.documents), clock)
        exhausted = job.exhausted()
        if exhausted == [PartKey(0, poison, poison + 1)]:
            break
        for key in exhausted:
            job.split(key)
    assert tried == 3 * MAX_ATTEMPTS + 3
    rejection = Rejection(line=3, reason=job.open[exhausted[0]].reason)
    job.finish(exhausted[0], PartResult(indexed=0, rejected=[rejection]), clock)
    assert job.complete
    counts = job.counts()
    assert (counts.read, counts.indexed, counts.rejected, counts.deduplicated) == (9, 5, 2, 2)
    assert rejection.reason == "it hurts"


def test_a_result_counts_once_however_often_it_comes() -> None:
    job = ledger()
    for _ in range(3):
        job.finish(FIRST, PartResult(indexed=4), 0.0)
    assert job.counts().indexed == 4
    with pytest.raises(LeaseLost):
        job.claim(FIRST, "a", 0.0, SECONDS)


def test_a_worker_that_leaves_in_good_order_costs_no_attempt() -> None:
    job = ledger()
    for clock in range(10):
        job.release(FIRST, job.claim(FIRST, "a", clock, SECONDS).token)
    assert job.open[FIRST].attempts == 0
    assert job.open[FIRST].queued_at is None


def test_nothing_is_handed_out_once_cancelling() -> None:
    job = ledger()
    lease = job.claim(FIRST, "a", 0.0, SECONDS)
    job.cancelling = True
    assert job.state is JobState.CANCELLING
    with pytest.raises(LeaseLost):
        job.renew(FIRST, lease.token, "a", 1.0, SECONDS)
    with pytest.raises(LeaseLost):
        job.claim(SECOND, "a", 1.0, SECONDS)


def test_recovery_opens_what_has_no_result_with_its_halves() -> None:
    job = ledger()
    left, right = FIRST.halves()
    recovered = JobLedger.recover(
        job.manifest,
        job.plan,
        {left: PartResult(indexed=2)},
        {FIRST},
        cancelling=False,
        end=None,
    )
    assert set(recovered.open) == {right, SECOND}
    assert recovered.counts().indexed == 2


def test_a_job_without_a_plan_is_to_be_planned() -> None:
    job = JobLedger.recover(ledger().manifest, None, {}, set(), cancelling=False, end=None)
    assert list(job.open) == [PLANNING]
    assert not job.complete


@pytest.mark.parametrize("key", [FIRST, PLANNING, PartKey(123_456, 7, 1000)])
def test_part_keys_are_read_back(key: PartKey) -> None:
    assert PartKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "x", "1-2-3", "000001-0", "../etc", "000001-0-5.json"])
def test_other_texts_are_no_part_keys(text: str) -> None:
    assert PartKey.parse(text) is None


def test_attempts_count_over_restarts() -> None:
    job, attempts = ledger(), {}
    for attempt in range(1, MAX_ATTEMPTS + 1):
        lease = job.claim(FIRST, "a", 0.0, SECONDS)
        part = job.open[FIRST]
        assert part.attempts == attempt
        attempts = {FIRST: Attempts(attempts=part.attempts, token=lease.token)}
        # The machine goes down with the worker and the service.
        job = JobLedger.recover(
            job.manifest, job.plan, {}, set(), cancelling=False, end=None, attempts=attempts
        )
    assert job.exhausted() == []  # its worker may have survived
    assert FIRST not in dict(job.due(0.0))
    job.expire(0.0)
    job.expire(RECOVERY_SECONDS + 1)
    assert job.exhausted() == [FIRST]


def test_after_a_restart_a_lease_goes_on_with_its_own_token_only() -> None:
    job = ledger()
    attempts = {FIRST: Attempts(attempts=MAX_ATTEMPTS, token="mine")}
    job = JobLedger.recover(
        job.manifest, job.plan, {}, set(), cancelling=False, end=None, attempts=attempts
    )
    with pytest.raises(LeaseLost):
        job.renew(FIRST, "another", "b", 1.0, SECONDS)
    assert job.renew(FIRST, "mine", "a", 1.0, SECONDS).token == "mine"
    assert job.exhausted() == []


def test_what_is_away_costs_no_attempt_but_a_pause_that_grows() -> None:
    job, clock, pauses = ledger(), 0.0, []
    for _ in range(12):
        lease = job.claim(FIRST, "a", clock, SECONDS)
        job.postpone(FIRST, lease.token, "The storage fails: no space left.", clock)
        part = job.open[FIRST]
        assert part.attempts == 0
        assert part.waiting is not None
        pauses.append(part.waiting.until - clock)
        assert FIRST not in dict(job.due(clock))
        clock = part.waiting.until
        assert FIRST in dict(job.due(clock))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST_SECONDS, LONGEST_SECONDS)
    message = report_of(job, clock).message
    assert message == "The storage fails: no space left. It is tried again within 60 seconds."
    assert not job.hopeless(clock)
    assert job.hopeless(PATIENCE_SECONDS + 1)


def test_a_failed_attempt_is_told_while_the_job_runs() -> None:
    job = ledger()
    lease = job.claim(FIRST, "a", 0.0, SECONDS)
    job.failed(FIRST, lease.token, "the worker's own disk fails: it is full", 0.0)
    assert "disk fails: it is full. That was attempt 1 of 3." in report_of(job, 0.0).message
    assert FIRST not in dict(job.due(0.0))
    job.finish(FIRST, PartResult(indexed=4), 1.0)
    assert report_of(job, 1.0).message == ""


def test_a_job_whose_workers_do_not_fit_says_so() -> None:
    job = ledger()
    job.refuse(SECOND, "The worker has another encoder.", 0.0)
    assert report_of(job, 0.0).message.startswith("The worker has another encoder.")
