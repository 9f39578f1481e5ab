"""kill -9 of each part while searches go on: what may fail, what may not, how soon it is over."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from tests.reliability.load import Load, Outcome, load_on
from tests.stack import Stack

OPTIONS: dict[str, Any] = {"rank": False, "budget_ms": 20_000}
KNOWN = [f"已经问过的问题 {number}" for number in range(5)]
MAY_FAIL = frozenset({"recall", "milvus"})
"""Without them, what nobody asked before is a 503; everything else stays a 200."""
UNCACHED = "state"
"""Without it no answer comes from a cache, so that known questions count as load, too."""
LONGEST_SECONDS = 120.0


def kill(stack: Stack, part: str) -> int:
    killed = stack.pid_of(part)
    os.kill(killed, signal.SIGKILL)
    return killed


async def one(load: Load, number: int) -> Outcome:
    """Every third is new and ranked, every third new, the others known."""
    if number % 3 == 0:
        return await load.search("ranked", rank=True, budget_ms=20_000, recall_k=20)
    if number % 3 == 1:
        return await load.search("new", **OPTIONS)
    return await load.search("known", KNOWN[number % len(KNOWN)], **OPTIONS)


async def whole(load: Load) -> bool:
    """Whether a new search gets a complete answer, ranking included."""
    answer = await load.search("probe", rank=True, budget_ms=20_000, recall_k=20)
    return answer.status == 200 and not answer.degraded


async def survives(stack: Stack, load: Load, part: str, per_second: float) -> float:
    """Seconds from the kill to the first complete answer of another process."""
    first = len(load.outcomes)
    stop = asyncio.Event()

    async def go_on() -> None:
        number = 0
        running: list[asyncio.Task[Outcome]] = []
        while not stop.is_set():
            running.append(asyncio.create_task(one(load, number)))
            number += 1
            await asyncio.sleep(1 / per_second)
        await asyncio.gather(*running)

    going = asyncio.create_task(go_on())
    try:
        await asyncio.sleep(1)
        killed = await asyncio.to_thread(kill, stack, part)
        at = load.now()
        while True:
            assert load.now() - at < LONGEST_SECONDS, f"{part} did not come back"
            if await asyncio.to_thread(stack.pid_of, part) in (0, killed):
                await asyncio.sleep(0.1)
            elif await whole(load):
                break
        seconds = load.now() - at
    finally:
        stop.set()
        await going
    judge(part, [each for each in load.outcomes[first:] if each.kind != "probe"], seconds)
    return seconds


def judge(part: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    refused = [outcome for outcome in outcomes if outcome.refused]
    failed = [outcome for outcome in outcomes if outcome.status != 200 and not outcome.refused]
    degraded = sorted({name for outcome in outcomes for name in outcome.degraded})
    print(
        f"kill -9 {part}: whole again after {seconds:.1f} s; {len(outcomes)} searches,"
        f" {len(refused)} refused for load, {len(failed)} failed"
        f" {sorted({outcome.code or str(outcome.status) for outcome in failed})},"
        f" degraded {degraded}"
    )
    assert len(outcomes) > len(refused)
    if part != UNCACHED:
        assert [one for one in outcomes if one.kind == "known" and one.refused] == []
    if part not in MAY_FAIL:
        assert failed == []
        return
    assert [outcome for outcome in failed if outcome.kind == "known"] == []
    for outcome in failed:
        assert outcome.status in (503, 504), outcome
        assert outcome.retry_after or outcome.status == 504, outcome


async def known_again(load: Load) -> None:
    """Returns when a cache has the answers of the known questions, which the kill of a part may
    have cost."""
    give_up = load.now() + LONGEST_SECONDS
    for query in KNOWN:
        while not (await load.search("known", query, **OPTIONS)).cached:
            assert load.now() < give_up, "no answer comes from a cache"


async def kill_in_turn(stack: Stack, parts: Sequence[str], *, at_length: bool) -> None:
    await asyncio.to_thread(stack.await_ready)
    async with load_on(stack.url) as load:
        for query in KNOWN:
            assert (await load.search("known", query, **OPTIONS)).degraded == ()
        assert await whole(load)
        capacity = await load.closed_loop(2, 20 if at_length else 3, **OPTIONS)
        rate = max(0.5, capacity / 2)
        print(f"\nload: {rate:.1f} searches/s, half of what new ones it can answer")
        for part in parts:
            await survives(stack, load, part, rate)
            await asyncio.to_thread(stack.await_ready)
            await known_again(load)


async def test_kills_under_load(stack: Stack) -> None:
    await kill_in_turn(stack, ("cache", "state", "rank", "recall"), at_length=False)


@pytest.mark.soak
async def test_kills_under_half_of_the_capacity(stack: Stack) -> None:
    parts = ("rank", "recall", "cache", "state", "milvus")
    await kill_in_turn(stack, parts * 2, at_length=True)
