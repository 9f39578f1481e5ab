"""The messages that ask workers for parts: how many, in which order, and again if they are lost."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from services.indexer.jobs.book import JobBook
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartResult, Plan
from services.indexer.jobs.messages import Messages
from services.indexer.jobs.parts import PLANNING
from services.indexer.store import ObjectStore
from tests.indexer.serverless import manifest

WINDOW = 16


@dataclass
class Queue:
    """The messages that nobody has taken."""

    held: list[tuple[str, int]] = field(default_factory=list)
    """Part, or `plan`, and priority of each."""

    async def depth(self) -> int:
        return len(self.held)

    async def put_plan(self, job: str, *, priority: int) -> None:
        self.held.append(("plan", priority))

    async def put_part(self, job: str, part: str, *, priority: int) -> None:
        self.held.append((part, priority))


@dataclass
class Clock:
    now: float = 100.0


@dataclass
class Office:
    """A book of jobs with its messages."""

    book: JobBook
    clock: Clock
    queue: Queue
    messages: Messages

    def job(self, parts: int, **options: Any) -> JobLedger:
        """A job that was planned into parts of one document."""
        ledger = self.book.add(manifest(**options))
        if parts:
            ledger.planned(
                Plan(token="p", parts=[1] * parts, read=parts, rejected=0, deduplicated=0)
            )
        return ledger

    async def sent(self, ledger: JobLedger, *, lost: bool = False) -> list[tuple[str, int]]:
        """What is put into the queue at a look at a job."""
        before = len(self.queue.held)
        await self.messages.send_due(ledger, lost=lost)
        return self.queue.held[before:]

    def taken(self, ledger: JobLedger, count: int) -> None:
        """Workers take so many messages, and the parts that they name."""
        for part, _ in self.queue.held[:count]:
            key = next(key for key in ledger.open if str(key) == part)
            ledger.claim(key, "w", self.clock.now, 60.0)
        del self.queue.held[:count]


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    clock, queue = Clock(), Queue()
    book = JobBook(JobFiles(ObjectStore(str(tmp_path))), clock=lambda: clock.now)
    await book.load()
    return Office(book, clock, queue, Messages(book, cast("Any", queue)))


async def test_a_large_job_has_few_messages_in_the_queue_at_a_time(office: Office) -> None:
    ledger = office.job(50)
    keys = [str(key) for key in ledger.open]
    assert [part for part, _ in await office.sent(ledger)] == keys[:WINDOW]
    assert await office.sent(ledger) == []
    office.taken(ledger, 2)
    assert [part for part, _ in await office.sent(ledger)] == keys[WINDOW : WINDOW + 2]


@pytest.mark.parametrize(("done", "priority"), [(0, 0), (3, 0), (4, 3), (31, 3), (32, 6)])
async def test_the_first_parts_of_a_job_overtake_the_later_ones_of_others(
    office: Office, done: int, priority: int
) -> None:
    ledger = office.job(40)
    for key in list(ledger.open)[:done]:
        ledger.finish(key, PartResult(indexed=1), 0.0)
    assert {one for _, one in await office.sent(ledger)} == {priority}


@pytest.mark.parametrize(("size", "priority"), [(1, 0), ((32 << 20) - 1, 0), (32 << 20, 3)])
async def test_the_planning_of_a_large_input_lets_others_go_first(
    office: Office, size: int, priority: int
) -> None:
    ledger = office.job(0, input_bytes=size)
    assert list(ledger.open) == [PLANNING]
    assert await office.sent(ledger) == [("plan", priority)]


async def test_what_the_queue_lost_is_sent_again_after_a_while(office: Office) -> None:
    ledger = office.job(3)
    first = await office.sent(ledger)
    office.queue.held.clear()
    assert not await office.messages.lost()
    office.clock.now += 2.0
    assert not await office.messages.lost()
    office.clock.now += 0.1
    assert await office.messages.lost()
    assert await office.sent(ledger, lost=True) == first
    assert not await office.messages.lost()
    office.clock.now += 60.0
    assert not await office.messages.lost(), "they are in the queue"


async def test_a_queue_that_lacks_messages_for_a_moment_has_lost_none(office: Office) -> None:
    """A worker takes the message first and claims its part a moment later."""
    ledger = office.job(3)
    await office.sent(ledger)
    for _ in range(3):
        late = office.queue.held.pop()
        assert not await office.messages.lost()
        office.clock.now += 1.9
        office.queue.held.append(late)
        assert not await office.messages.lost()
        office.clock.now += 1.9


async def test_messages_that_were_just_sent_are_not_sent_twice(office: Office) -> None:
    ledger = office.job(1)
    await office.sent(ledger)
    office.clock.now += 2.0
    assert await office.sent(ledger, lost=True) == []
    office.clock.now += 0.1
    assert await office.sent(ledger) == []
    assert len(await office.sent(ledger, lost=True)) == 1


async def test_a_part_that_a_worker_has_is_not_missed(office: Office) -> None:
    ledger = office.job(2)
    await office.sent(ledger)
    office.taken(ledger, 2)
    assert not await office.messages.lost()
    office.clock.now += 60.0
    assert not await office.messages.lost()
    assert await office.sent(ledger, lost=True) == []


async def test_parts_that_have_no_message_yet_are_not_missed(office: Office) -> None:
    await office.sent(office.job(50))
    for _ in range(3):
        assert not await office.messages.lost()
        office.clock.now += 60.0
