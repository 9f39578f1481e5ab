"""Four times what the system can take: what is accepted stays quick, the rest is refused."""

import asyncio
import time
from typing import Any

import pytest

from tests.reliability.load import load_on, percentile
from tests.stack import Stack

OPTIONS: dict[str, Any] = {"rank": False, "budget_ms": 10_000}


async def overload(stack: Stack, warm_seconds: float, seconds: float, *, strict: bool) -> None:
    async with load_on(stack.url) as load:
        for _ in range(3):
            await load.search("warm", **OPTIONS)
        begun = load.now()
        unloaded = []
        while load.now() - begun < warm_seconds:
            unloaded.append(await load.search("alone", **OPTIONS))
        assert {outcome.status for outcome in unloaded} == {200}
        alone = percentile(unloaded, 0.99)
        capacity = await load.closed_loop(8, warm_seconds, **OPTIONS)

        async def one(number: int) -> object:
            return await load.search("overload", **OPTIONS)

        outcomes = await load.at_rate(4 * capacity, seconds, one)
        accepted = [outcome for outcome in outcomes if outcome.status == 200]
        refused = [outcome for outcome in outcomes if outcome.status != 200]
        began = time.monotonic()
        while (await load.search("after", **OPTIONS)).status != 200:
            assert time.monotonic() - began < 30
            await asyncio.sleep(0.1)
        recovery = time.monotonic() - began
        print(
            f"capacity {capacity:.1f}/s, offered {4 * capacity:.1f}/s for {seconds:g} s:"
            f" {len(accepted)} accepted, {len(refused)} refused"
            f" ({sorted({outcome.status for outcome in refused})}), p99 alone {alone:.3f} s,"
            f" p50/p99 accepted {percentile(accepted, 0.5):.3f}/{percentile(accepted, 0.99):.3f} s,"
            f" p99 of refusals {percentile(refused, 0.99) if refused else 0:.3f} s,"
            f" answered again after {recovery:.2f} s"
        )
        assert accepted
        late = [outcome for outcome in refused if outcome.status == 504]
        assert {outcome.status for outcome in refused} <= {429, 503, 504}
        assert all(outcome.retry_after for outcome in refused if outcome not in late)
        if strict:  # else the machine may have other things to do
            assert late == []
            assert refused
            assert percentile(accepted, 0.99) < 2 * alone
            assert recovery < 5


async def test_overload_is_refused_not_queued(stack: Stack) -> None:
    await overload(stack, 2, 5, strict=False)


@pytest.mark.soak
async def test_overload_at_full_size(stack: Stack) -> None:
    await overload(stack, 20, 60, strict=True)
