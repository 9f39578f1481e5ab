"""Requests of random shapes at a steady rate: every waiter settles, memory stays bounded."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import psutil
import pytest

from services.common.engine import (
    BatchedEncoder,
    PredictorOptions,
    batched_encoder,
    open_encoder,
)
from services.common.errors import DeadlineExceeded, Overloaded
from services.common.request_context import Deadline

_MODEL = Path(__file__).parents[2] / "models" / "literature-encoder"
_MIB = 1 << 20


async def _one(shared: BatchedEncoder, rng: random.Random, outcomes: Counter[str]) -> None:
    text = "国有企业引入非国有资本对创新绩效的影响研究" * rng.randint(1, 14)
    texts = [text[: rng.randint(1, len(text))] for _ in range(rng.randint(1, 3))]
    fate = rng.random()
    try:
        if fate < 0.1:  # a caller that goes away
            async with asyncio.timeout(0.005):
                await shared.encode(texts)
        elif fate < 0.6:
            await shared.encode_queries(texts, Deadline.after(2))
        else:
            await shared.encode(texts, Deadline.after(2))
    except Overloaded:
        outcomes["refused"] += 1
    except (DeadlineExceeded, TimeoutError):
        outcomes["late"] += 1
    else:
        outcomes["answered"] += 1


async def _load(
    rate: int, seconds: int, options: PredictorOptions
) -> tuple[Counter[str], list[float]]:
    """What became of the requests, and resident MiB at the end of each tenth of the run."""
    rng = random.Random(0)
    outcomes: Counter[str] = Counter()
    resident: list[float] = []
    encoder = open_encoder(_MODEL, options)
    async with batched_encoder(encoder, queued_tokens=20_000) as shared:
        sent = rate * seconds
        async with asyncio.TaskGroup() as group:
            start = asyncio.get_running_loop().time()
            for number in range(sent):
                wait = start + number / rate - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, wait))
                group.create_task(_one(shared, rng, outcomes))
                if number % (sent // 10) == sent // 10 - 1:
                    resident.append(psutil.Process().memory_info().rss / _MIB)
        assert outcomes.total() == sent
    return outcomes, resident


async def test_random_shapes_for_a_moment() -> None:
    """In int8, since Paddle would keep its engine in the process of the tests."""
    outcomes, resident = await _load(20, 2, PredictorOptions(precision="int8"))
    assert outcomes["answered"] > 0
    assert resident[-1] - resident[4] < 400


@pytest.mark.soak
async def test_200_random_shapes_a_second_for_a_minute() -> None:
    outcomes, resident = await _load(200, 60, PredictorOptions())
    print(f"\n{dict(outcomes)}, resident MiB {[round(each) for each in resident]}")
    assert outcomes["answered"] > 0
    # The caches of the shapes fill in the first half; from then on nothing accumulates.
    assert resident[-1] - resident[4] < 200
