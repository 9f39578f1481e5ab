"""A rollback beside a job: the documents of the job are in one index, and not in two."""

from pathlib import Path

import pytest

from services.common.errors import Conflict
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.collections import Collection
from services.indexer.api.collections import rollback
from tests.indexer.in_memory import NAME
from tests.indexer.serverless import Serverless


async def returned(system: Serverless) -> Collection:
    rebuilds = system.finisher._rebuilds
    return await rollback(system.collections, rebuilds, system.writer, system.book, NAME)


async def test_a_rollback_waits_for_no_job_and_divides_none(
    tmp_path: Path, encoders: EncoderDirectories
) -> None:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold("old")
    rebuilt = await system.rebuilt()
    await system.plan(rebuilt)
    assert (await system.work(rebuilt)).state == "succeeded"

    ledger = await system.submitted(*"abcd")
    await system.plan(ledger)
    [first, *_] = ledger.open
    await system._part(ledger, str(first), ())
    with pytest.raises(Conflict, match=rf"Job {ledger.manifest.id} is writing .*cancel it"):
        await returned(system)
    assert (await system.work(ledger)).counts.indexed == 4
    assert system.index.ids() == ["a", "b", "c", "d", "old"]

    await returned(system)
    assert system.index.ids() == ["old"]
    await returned(system)
    assert system.index.ids() == ["a", "b", "c", "d", "old"]
