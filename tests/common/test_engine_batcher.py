"""The batcher: every waiter settles, urgent work first, bounded, nothing computed for nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import pytest

from services.common.engine import BatchedEncoder, Encoder
from services.common.engine.batcher import QUEUED_TOKENS, Batcher, Priority
from services.common.engine.batches import Passes
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from services.common.request_context import Deadline


def tokens(value: int, length: int = 16) -> Tokens:
    return Tokens([value] * length, [0] * length)


def passes(token_budget: int = 1024, at_once: int = 1) -> Passes:
    return Passes(at_once=at_once, token_budget=token_budget, own_tokens=200, step=16)


class Echo:
    """A model that answers with each sequence's first id, and waits at a gate if it is shut."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, sequences: Sequence[Tokens]) -> FloatArray:
        self.batches.append([sequence.ids[0] for sequence in sequences])
        self.entered.set()
        assert self.gate.wait(10)
        return np.array([sequence.ids[0] for sequence in sequences], dtype=np.float32)


@asynccontextmanager
async def held(
    model: Echo, *, token_budget: int = 1024, queued_tokens: int = QUEUED_TOKENS
) -> AsyncIterator[tuple[Batcher, "asyncio.Task[FloatArray]"]]:
    """A batcher whose model is busy with sequence 0 until the gate opens."""
    model.gate.clear()
    async with Batcher(model, passes(token_budget), queued_tokens=queued_tokens) as batcher:
        first = asyncio.create_task(batcher.submit([tokens(0)], priority=Priority.QUERY))
        await asyncio.to_thread(model.entered.wait, 10)
        try:
            yield batcher, first
        finally:
            model.gate.set()


def send(
    batcher: Batcher,
    value: int,
    priority: Priority = Priority.QUERY,
    deadline: Deadline | None = None,
    length: int = 16,
) -> "asyncio.Task[FloatArray]":
    work = batcher.submit([tokens(value, length)], priority=priority, deadline=deadline)
    return asyncio.create_task(work)


async def test_each_caller_gets_its_own_rows() -> None:
    async with Batcher(Echo(), passes()) as batcher:
        work = [
            batcher.submit([tokens(value), tokens(value + 1)], priority=Priority.QUERY)
            for value in range(0, 100, 2)
        ]
        for value, output in zip(range(0, 100, 2), await asyncio.gather(*work), strict=True):
            assert output.tolist() == [value, value + 1]


async def test_what_waits_shares_one_pass_up_to_the_budget() -> None:
    model = Echo()
    async with held(model, token_budget=48) as (batcher, first):
        others = [send(batcher, value) for value in range(1, 6)]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, *others)
    assert model.batches == [[0], [1, 2, 3], [4, 5]]


async def test_queries_go_before_bulk() -> None:
    model = Echo()
    async with held(model, token_budget=16) as (batcher, first):
        bulk = [send(batcher, value, Priority.BULK) for value in (10, 11)]
        await asyncio.sleep(0)
        query = send(batcher, 1)
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, query, *bulk)
    assert model.batches == [[0], [1], [10], [11]]


class Numbers:
    """An encoder whose texts are numbers, each a sequence of that value."""

    def query_tokens(self, queries: Sequence[str]) -> list[Tokens]:
        return [tokens(int(query)) for query in queries]


async def test_a_list_of_queries_waits_behind_single_ones() -> None:
    """A search has one query; a list is embedded for somebody, however many calls bring it."""
    model = Echo()
    async with held(model, token_budget=16) as (batcher, first):
        encoder = BatchedEncoder(cast("Encoder", Numbers()), batcher)
        listed = asyncio.create_task(encoder.encode_queries(["10", "11"]))
        await asyncio.sleep(0)
        single = asyncio.create_task(encoder.encode_queries(["1"]))
        await asyncio.sleep(0.01)
        model.gate.set()
        vectors, counted = await listed
        await asyncio.gather(first, single)
    assert (vectors.tolist(), counted) == ([10, 11], 32)
    assert model.batches == [[0], [1], [10], [11]]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    model = Echo()
    async with held(model, queued_tokens=32) as (batcher, _):
        waiting = [send(batcher, value) for value in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await send(batcher, 3)
        assert refused.value.retry_after is not None
        bulk = send(batcher, 4, Priority.BULK)
        model.gate.set()
        assert [float((await task)[0]) for task in (*waiting, bulk)] == [1, 2, 4]


async def test_work_whose_caller_has_gone_is_not_computed() -> None:
    model = Echo()
    async with held(model) as (batcher, first):
        gone, stays = send(batcher, 1), send(batcher, 2)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, stays)
    assert model.batches == [[0], [2]]


async def test_who_has_gone_leaves_room_for_others() -> None:
    model = Echo()
    async with held(model, queued_tokens=32) as (batcher, first):
        left = [send(batcher, value) for value in (1, 2)]
        await asyncio.sleep(0)
        for each in left:
            each.cancel()
        await asyncio.wait(left)
        others = [send(batcher, value) for value in (3, 4)]
        model.gate.set()
        assert [(await each).tolist() for each in (first, *others)] == [[0], [3], [4]]


async def test_work_past_its_deadline_is_not_computed() -> None:
    model = Echo()
    async with held(model) as (batcher, first):
        late = send(batcher, 1, deadline=Deadline.after(0))
        await asyncio.sleep(0)
        model.gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
        await first
    assert model.batches == [[0]]


async def test_a_failing_model_fails_its_batch_and_no_other() -> None:
    calls = 0

    def model(sequences: Sequence[Tokens]) -> FloatArray:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("vendor text")
        return np.ones(len(sequences), dtype=np.float32)

    async with Batcher(model, passes()) as batcher:
        with pytest.raises(ModelUnavailable) as failed:
            await send(batcher, 1)
        assert "vendor" not in failed.value.detail
        assert (await send(batcher, 2)).tolist() == [1]


async def test_stopping_settles_those_who_wait() -> None:
    model = Echo()
    async with held(model) as (batcher, first):
        waiting = send(batcher, 1)
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.__aexit__(None, None, None))
        with pytest.raises(ModelUnavailable):
            await waiting
        with pytest.raises(ModelUnavailable):
            await send(batcher, 2)
        model.gate.set()
        await closing
        assert (await first).tolist() == [0]


async def test_passes_run_at_the_same_time() -> None:
    meet = threading.Barrier(2, timeout=10)

    def model(sequences: Sequence[Tokens]) -> FloatArray:
        meet.wait()
        return np.ones(len(sequences), dtype=np.float32)

    async with Batcher(model, passes(16, at_once=2)) as batcher:
        await asyncio.gather(send(batcher, 1), send(batcher, 2))
