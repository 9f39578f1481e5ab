"""Submissions under an idempotency key: one job for each, whatever has happened since."""

import asyncio
import io
import threading
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from services.common.errors import IdempotencyConflict, Unavailable, UnsupportedFormat
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JobMode, JobState
from services.indexer.intake.mapping import FieldMapping
from services.indexer.jobs.housekeeping import Housekeeping
from services.indexer.jobs.input_store import InputStore
from services.indexer.jobs.submission import Submission
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import Serverless, body, line

KEY = "key"
ONE, TWO = line("1"), line("2")


async def opened(folder: Path, encoders: EncoderDirectories) -> Serverless:
    system = Serverless(folder, encoders)
    await system.turn()
    return system


async def sent(system: Serverless, content: bytes = ONE, **options: Any) -> str:
    """The id of the job of a submission."""
    submission = Submission(NAME, idempotency_key=KEY, **options)
    return (await system.acceptance.submit(submission, body(content))).manifest.id


@pytest.mark.parametrize("mode", JobMode)
async def test_a_submission_that_is_repeated_is_one_job(
    tmp_path: Path, encoders: EncoderDirectories, mode: JobMode
) -> None:
    system = await opened(tmp_path, encoders)
    [job] = {await sent(system, mode=mode) for _ in range(2)}
    restarted = Serverless(tmp_path, encoders, system.index)
    await restarted.turn()
    assert await sent(restarted, mode=mode) == job
    ledger = restarted.book.get(job)
    await restarted.plan(ledger)
    assert await sent(restarted, mode=mode) == job
    assert (await restarted.work(ledger)).state is JobState.SUCCEEDED
    assert await sent(restarted, mode=mode) == job
    assert restarted.store.names("jobs") == [job]
    with pytest.raises(IdempotencyConflict):
        await sent(restarted, TWO, mode=mode)


@pytest.mark.parametrize("mode", JobMode)
async def test_submissions_at_the_same_time_are_one_job(
    tmp_path: Path, encoders: EncoderDirectories, mode: JobMode
) -> None:
    system = await opened(tmp_path, encoders)
    assert len(set(await asyncio.gather(*(sent(system, mode=mode) for _ in range(5))))) == 1


async def test_a_caller_who_goes_away_while_the_job_is_recorded_leaves_nothing(
    tmp_path: Path, encoders: EncoderDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage may record the job after its input was removed, and nobody could plan it then."""
    system = await opened(tmp_path, encoders)
    begun, go_on, write = threading.Event(), threading.Event(), system.store.write

    def slow(key: str, content: bytes) -> None:
        begun.set()
        go_on.wait(20)
        write(key, content)

    monkeypatch.setattr(system.store, "write", slow)
    call = asyncio.create_task(sent(system))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    await asyncio.wait([call], timeout=0.3)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    await system.book.load()  # which waits for writes
    assert (system.store.names("jobs"), system.book.all()) == ([], [])


@pytest.mark.parametrize("content", [b"%PDF-1.7", b'[{"id": "1"}]'])
async def test_what_a_refused_upload_left_behind_is_removed_later(
    tmp_path: Path,
    encoders: EncoderDirectories,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
) -> None:
    """The storage goes away between the upload and its removal."""
    system = await opened(tmp_path, encoders)

    async def collect(name: str) -> None:
        """There are no replaced collections."""

    housekeeping = Housekeeping(
        system.book,
        system.collections,
        cast("Any", SimpleNamespace(collect=collect)),
        retention=timedelta(days=1),
        retained_jobs=10,
    )
    store, check = system.store, InputStore.store_input

    async def kept(*arguments: Any) -> Any:
        await asyncio.to_thread(store.write, f"jobs/{arguments[1]}/input", content)
        return await check(*arguments)

    def away(_: str) -> None:
        raise Unavailable("The storage was killed.")

    monkeypatch.setattr(InputStore, "store_input", kept)
    with monkeypatch.context() as patch:
        patch.setattr(store, "remove", away)
        with pytest.raises(UnsupportedFormat):
            await sent(system, content)
        with pytest.raises(Unavailable):
            await housekeeping.run()
    monkeypatch.undo()
    assert len(store.names("jobs")) == 1
    job = await sent(system)
    system.now += 3_600
    await housekeeping.run()
    assert store.names("jobs") == [job]


async def test_an_encoder_that_was_chosen_for_the_caller_is_no_other_request(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    """The default encoder may be another one by the time at which the submission is repeated."""
    system = await opened(tmp_path, encoders)
    job = await sent(system, mode=JobMode.REBUILD)
    changed = EncoderDirectories(encoders.others[0], [encoders.default])
    restarted = Serverless(tmp_path, changed, system.index)
    await restarted.turn()
    assert await sent(restarted, mode=JobMode.REBUILD) == job
    with pytest.raises(IdempotencyConflict):
        await sent(restarted, mode=JobMode.REBUILD, encoder=encoders.default.fingerprint)


def matrix(number: float, dimension: int) -> bytes:
    sink = io.BytesIO()
    np.save(sink, np.full((1, dimension), number, np.float32))
    return sink.getvalue()


async def test_every_option_tells_requests_apart(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = await opened(tmp_path, encoders)
    await system.collections.create(NAME, None, {}, "tenant")
    given = Submission(
        NAME,
        mode=JobMode.REBUILD,
        format=InputFormat.CSV,
        max_errors=5,
        idempotency_key=KEY,
        encoder=encoders.default.fingerprint,
        charset=Charset.UTF8,
        name="papers.csv",
        partition="甲",
    )
    others: dict[str, Any] = {
        "collection": "others",
        "mode": JobMode.UPSERT,
        "format": InputFormat.TSV,
        "mapping": FieldMapping(id="id", title="title", text="title"),
        "max_errors": None,
        "encoder": None,
        "force": True,
        "charset": Charset.GB18030,
        "name": "other.csv",
        "partition": None,
    }
    assert {one.name for one in fields(Submission)} == {*others, "idempotency_key"}
    rows, dimension = b"id,title\n1,a\n", encoders.default.dimension
    vectors = matrix(1, dimension)

    async def submit(submission: Submission, rows: bytes, vectors: bytes | None) -> str:
        brought = None if vectors is None else body(vectors)
        return (await system.acceptance.submit(submission, body(rows), brought)).manifest.id

    job = await submit(given, rows, vectors)
    assert await submit(given, rows, vectors) == job
    for option, other in others.items():
        content = b"id\ttitle\n1\ta\n" if option == "format" else rows
        with pytest.raises(IdempotencyConflict):
            await submit(replace(given, **{option: other}), content, vectors)
    for content, brought in [
        (b"id,title\n2,a\n", vectors),
        (rows, None),
        (rows, matrix(0, dimension)),
    ]:
        with pytest.raises(IdempotencyConflict):
            await submit(given, content, brought)
    assert system.store.names("jobs") == [job]
