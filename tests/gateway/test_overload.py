"""Admission: bounded, adaptive, fair, refused at once."""

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from services.common.errors import (
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    RateLimited,
    SearchError,
)
from services.common.request_context import Deadline
from services.gateway.search.admission.adaptive_limit import TOLERANCE, AdaptiveLimit
from services.gateway.search.admission.control import AdmissionControl, _Waiter
from tests.virtual_time import virtual_time


def control(places: float) -> AdmissionControl:
    return AdmissionControl(AdaptiveLimit(places, places, places))


async def hold(admission: AdmissionControl, key: str, until: asyncio.Event) -> None:
    async with admission.slot(key, "kind", Deadline.after(10)):
        await until.wait()


async def settled(*tasks: "asyncio.Task[None]") -> None:
    await asyncio.gather(*tasks)


async def test_no_more_run_at_once_than_the_limit_and_the_others_are_refused_soon() -> None:
    admission = control(3)
    running = most = 0
    refused: list[float | None] = []

    async def one() -> None:
        nonlocal running, most
        try:
            async with admission.slot("key", "kind", Deadline.after(10)):
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.5)
                running -= 1
        except Overloaded as error:
            refused.append(error.retry_after)

    started = time.monotonic()
    await asyncio.gather(*(one() for _ in range(50)))
    assert most == 3
    assert refused == [1.0] * 47
    assert time.monotonic() - started < 5
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_place_that_becomes_free_goes_to_the_key_with_the_fewest() -> None:
    admission = control(2)
    released = asyncio.Event()
    greedy = [asyncio.create_task(hold(admission, "greedy", released)) for _ in range(2)]
    await asyncio.sleep(0)
    order: list[str] = []

    async def wait(key: str) -> None:
        async with admission.slot(key, "kind", Deadline.after(10)):
            order.append(key)

    waiting = [asyncio.create_task(wait(key)) for key in ("greedy", "greedy", "modest")]
    await asyncio.sleep(0)
    released.set()
    await settled(*greedy, *waiting)
    assert order[0] == "modest"
    assert Counter(order) == {"greedy": 2, "modest": 1}


async def test_the_greedy_key_makes_room_and_is_told_why() -> None:
    admission = control(2)
    released = asyncio.Event()
    holders = [asyncio.create_task(hold(admission, "greedy", released)) for _ in range(2)]
    await asyncio.sleep(0)
    errors: list[tuple[str, SearchError]] = []

    async def wait(key: str) -> None:
        try:
            await hold(admission, key, released)
        except SearchError as error:
            errors.append((key, error))

    waiting = [asyncio.create_task(wait("greedy")) for _ in range(4)]  # as many as may wait
    await asyncio.sleep(0)
    modest = asyncio.create_task(wait("modest"))
    await asyncio.sleep(0.01)
    assert [(key, type(error)) for key, error in errors] == [("greedy", RateLimited)]
    released.set()
    await settled(*holders, *waiting, modest)
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_who_went_away_takes_no_place() -> None:
    admission = control(1)
    released = asyncio.Event()
    holder = asyncio.create_task(hold(admission, "a", released))
    await asyncio.sleep(0)
    leaver = asyncio.create_task(hold(admission, "b", released))
    await asyncio.sleep(0)
    leaver.cancel()
    released.set()
    await holder
    with pytest.raises(asyncio.CancelledError):
        await leaver
    async with admission.slot("c", "kind", Deadline.after(1)):
        assert admission.in_flight == 1


@pytest.mark.parametrize("patience", [0.0, 5.0])
async def test_a_place_goes_on_if_who_got_it_leaves_in_that_moment(patience: float) -> None:
    admission = control(1)
    served: list[str] = []

    async def wait(key: str) -> None:
        async with admission.slot(key, "kind", Deadline.after(60), patience):
            served.append(key)

    async with admission.slot("a", "kind", Deadline.after(60)):
        leaver, others = (asyncio.create_task(wait(key)) for key in ("b", "c"))
        await asyncio.sleep(0)
    leaver.cancel()
    async with asyncio.timeout(5):
        await others
        await wait("d")
    assert (leaver.cancelled(), served) == (True, ["c", "d"])
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_a_patient_caller_waits_for_what_hurried_ones_leave() -> None:
    admission = control(1)
    order: list[str] = []

    async def one(name: str, patience: float) -> None:
        async with admission.slot("key", "kind", Deadline.after(10), patience):
            order.append(name)
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(one("holder", 0))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(one("patient", 5)), asyncio.create_task(one("hurried", 0))]
    await settled(*tasks)
    assert order == ["holder", "hurried", "patient"]


@pytest.mark.parametrize(("clients", "places"), [(4, 2), (4, 16), (6, 2)])
async def test_a_few_clients_queue_within_their_budget(clients: int, places: int) -> None:
    """Two cores: searches that run at the same time take longer, each in turn."""
    admission = AdmissionControl(AdaptiveLimit(places, 2, 256))
    done = 0

    async def client(key: str) -> None:
        nonlocal done
        for _ in range(10):
            async with admission.slot(key, "kind", Deadline.after(10)):
                await asyncio.sleep(0.01 * max(1, admission.in_flight / 2))
            done += 1

    async with admission.slot("first", "kind", Deadline.after(10)):
        await asyncio.sleep(0.01)
    await asyncio.gather(*(client(f"key {number}") for number in range(clients)))
    assert (done, admission.refused) == (clients * 10, 0)


async def test_a_search_whose_budget_ends_in_the_queue_is_refused_by_then() -> None:
    admission = control(1)
    async with admission.slot("a", "kind", Deadline.after(10)):
        await asyncio.sleep(0.05)
    async with admission.slot("b", "kind", Deadline.after(10)):
        started = time.monotonic()
        with pytest.raises(SearchError):
            async with admission.slot("c", "kind", Deadline.after(0.5)):
                pass
        assert 0.2 < time.monotonic() - started < 5


async def test_a_full_queue_hurries_those_who_wait() -> None:
    """With a budget of minutes they would wait; in a crowd they are refused within moments."""
    admission = control(1)
    released = asyncio.Event()
    holder = asyncio.create_task(hold(admission, "a", released))
    await asyncio.sleep(0)
    started = time.monotonic()

    async def one(key: str) -> str:
        try:
            async with admission.slot(key, "kind", Deadline.after(300)):
                return "served"
        except SearchError:
            return "refused"

    outcomes = await asyncio.gather(*(one(f"key {number}") for number in range(12)))
    assert outcomes == ["refused"] * 12
    assert time.monotonic() - started < 30
    released.set()
    await holder
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def test_who_comes_while_a_place_is_on_its_way_to_another_does_not_take_it() -> None:
    admission = control(1)
    running = most = 0

    async def one(key: str) -> None:
        nonlocal running, most
        async with admission.slot(key, "kind", Deadline.after(60)):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    async with admission.slot("a", "kind", Deadline.after(60)):
        granted = asyncio.create_task(one("b"))
        await asyncio.sleep(0)
    late = asyncio.create_task(one("c"))
    await one("d")
    await settled(granted, late)
    assert most == 1
    assert (admission.in_flight, admission.waiting) == (0, 0)


async def waited(admission: AdmissionControl, budget: float, patience: float = 0.0) -> float:
    """Seconds of the loop's time after which a search that gets no place is refused."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(SearchError):
        async with admission.slot("late", "kind", Deadline.after(budget), patience):
            pass
    return loop.time() - began


@pytest.mark.parametrize(
    ("budget", "patience", "seconds"),
    [(60, 0.0, 60), (60, 5.0, 5), (3, 5.0, 3), (3, 0.0, 3)],
)
def test_a_search_waits_as_long_as_its_budget_and_a_patient_one_as_its_patience(
    monkeypatch: pytest.MonkeyPatch, budget: float, patience: float, seconds: float
) -> None:
    async def scenario() -> float:
        admission = control(1)
        async with admission.slot("a", "kind", Deadline.after(600)):
            return await waited(admission, budget, patience)

    with virtual_time(monkeypatch) as run:
        assert run(scenario()) == pytest.approx(seconds)


def test_who_comes_into_a_crowd_is_refused_as_soon_as_those_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until a second has passed since the queue was full."""

    async def scenario() -> list[float]:
        admission, released = control(1), asyncio.Event()
        holder = asyncio.create_task(hold(admission, "a", released))
        await asyncio.sleep(0)
        crowd = [asyncio.create_task(waited(admission, 60)) for _ in range(9)]
        await asyncio.gather(*crowd)
        in_crowd = await waited(admission, 60)
        await asyncio.sleep(1.0)
        after = await waited(admission, 60)
        released.set()
        await holder
        return [in_crowd, after]

    with virtual_time(monkeypatch) as run:
        assert run(scenario()) == pytest.approx([0.1, 60])


@dataclass(slots=True)
class Noted(AdaptiveLimit):
    """Notes what it is told of the searches that ended."""

    told: list[tuple[bool, bool]] = field(default_factory=list, init=False)
    """Whether each was alone, and whether the limit was in use."""
    pushed: int = field(default=0, init=False)

    def took(self, kind: str, seconds: float, *, alone: bool, busy: bool) -> None:
        self.told.append((alone, busy))

    def pushed_back(self) -> None:
        self.pushed += 1


async def ended_as(
    admission: AdmissionControl, outcome: SearchError | str | None, patience: float = 0.0
) -> None:
    """A search that is answered in full, or `degraded`, or fails."""
    async with admission.slot("b", "kind", Deadline.after(60), patience) as slot:
        if isinstance(outcome, SearchError):
            raise outcome
        if outcome:
            slot.untypical()


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("outcome", "patience", "told", "pushed"),
    [
        (None, 0.0, 1, 0),
        (None, 5.0, 0, 0),
        ("degraded", 0.0, 0, 1),
        ("degraded", 5.0, 0, 0),
        (Overloaded("full"), 0.0, 0, 1),
        (DeadlineExceeded("late"), 0.0, 0, 1),
        (InvalidRequest("odd"), 0.0, 0, 0),
    ],
)
async def test_what_the_limit_learns_from_the_end_of_a_search(
    outcome: SearchError | str | None, patience: float, told: int, pushed: int, beside: bool
) -> None:
    """Failures of a search that ran alone say nothing about load."""
    limit = Noted(4, 1, 4)
    admission, released = AdmissionControl(limit), asyncio.Event()
    holder = asyncio.create_task(hold(admission, "a", released))
    await asyncio.sleep(0)
    if not beside:
        released.set()
        await holder
        assert limit.told.pop() == (True, False)
    with contextlib.suppress(SearchError):
        await ended_as(admission, outcome, patience)
    assert limit.told == [(not beside, beside)] * told
    assert limit.pushed == (pushed if beside else 0)
    released.set()
    await holder


async def test_a_search_that_another_one_joined_was_not_alone() -> None:
    limit = Noted(4, 1, 4)
    admission = AdmissionControl(limit)
    first, second = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, "a", first))]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(hold(admission, "b", second)))
    await asyncio.sleep(0)
    first.set()
    await tasks[0]
    second.set()
    await settled(*tasks)
    assert limit.told == [(False, False), (False, True)]


def simulated(limit: AdaptiveLimit, capacity: int, rounds: int) -> None:
    """A service that serves `capacity` at once in a second each, and the rest after them."""
    for _ in range(rounds):
        at_once = int(limit.value)
        seconds = max(1.0, at_once / capacity)
        limit.took("kind", seconds, alone=at_once == 1, busy=True)


@pytest.mark.parametrize("capacity", [1, 4, 20])
def test_the_limit_finds_what_the_services_can_take(capacity: int) -> None:
    limit = AdaptiveLimit(initial=8, minimum=1, maximum=64)
    limit.took("kind", 1.0, alone=True, busy=False)
    simulated(limit, capacity, 500)
    assert 0.8 * capacity <= limit.value <= TOLERANCE * capacity + 2


def test_kinds_are_compared_with_themselves() -> None:
    limit = AdaptiveLimit(initial=8, minimum=1, maximum=8)
    for seconds, kind in ((0.01, "recall"), (1.0, "rank")):
        limit.took(kind, seconds, alone=True, busy=False)
    for _ in range(50):
        limit.took("recall", 0.01, alone=False, busy=True)
        limit.took("rank", 1.0, alone=False, busy=True)
    assert limit.value == 8


def test_waiting_is_worth_it_while_the_whole_stays_below_twice_an_unloaded_search() -> None:
    limit = AdaptiveLimit(4, 2, 8)
    assert limit.worth_waiting("kind") is None
    limit.took("kind", 1.0, alone=True, busy=False)
    quick = limit.worth_waiting("kind")
    assert quick is not None
    assert 0.5 < quick < 1.0
    for _ in range(50):
        limit.took("kind", 1.5, alone=False, busy=True)
    loaded = limit.worth_waiting("kind")
    assert loaded is not None
    assert 0.1 < loaded < 0.5
    for _ in range(50):
        limit.took("kind", 3.0, alone=False, busy=True)
    assert limit.worth_waiting("kind") == pytest.approx(0.1)


def test_a_push_back_lowers_it_at_once_but_never_below_its_minimum() -> None:
    limit = AdaptiveLimit(initial=10, minimum=2, maximum=20)
    limit.pushed_back()
    assert limit.value == pytest.approx(8)
    for _ in range(50):
        limit.pushed_back()
    assert limit.value == 2


async def test_one_whose_time_just_ran_out_can_still_be_hurried() -> None:
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        async with asyncio.timeout(0) as timeout:
            waiter = _Waiter("key", loop.create_future(), 9e9, loop.time(), timeout)
            try:
                await asyncio.sleep(60)
            finally:  # between the end of its time and its leaving
                assert timeout.expired()
                waiter.hurry()

    with pytest.raises(TimeoutError):
        await wait()
