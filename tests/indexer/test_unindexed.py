"""A rebuild on a server that builds the vector index after the rows are written."""

from pathlib import Path

import pytest

from services.common.collection import PhysicalName
from services.common.model_dir.encoders import EncoderDirectories
from services.common.wire.jobs import JobMode
from services.indexer.index import rebuild
from services.indexer.jobs.ledger import JobLedger
from tests.indexer.serverless import Serverless


@pytest.fixture
async def system(tmp_path: Path, encoders: EncoderDirectories) -> Serverless:
    system = Serverless(tmp_path, encoders)
    await system.turn()
    await system.hold("old")
    return system


async def _written(system: Serverless) -> JobLedger:
    """A rebuild from a file, all of whose rows are written."""
    ledger = await system.submitted("new", mode=JobMode.REBUILD)
    await system.plan(ledger)
    [part] = ledger.open
    await system._part(ledger, str(part), ())
    return ledger


async def test_the_new_index_answers_once_it_is_built_and_loaded(
    system: Serverless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_POLL_SECONDS", 0)
    ledger = await _written(system)
    said: list[str] = []
    monkeypatch.setattr(JobLedger, "proceeds", lambda self, words: said.append(words))
    system.index.unbuilt = [3_000, 3_000, 20, 0]
    assert (await system.work(ledger)).state == "succeeded"
    assert system.index.ids() == ["new"]
    assert [str(one) for one in system.index.reloaded] == [
        str(system.finisher.filled(ledger.manifest))
    ]
    assert "Milvus builds the vector index of the new collection; 3,000 rows wait." in said


async def test_an_index_that_is_not_built_holds_the_switch_up_and_the_job_says_so(
    system: Serverless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_POLL_SECONDS", 0)
    monkeypatch.setattr(rebuild, "_BUILD_SECONDS", 0)
    ledger = await _written(system)
    system.index.unbuilt = [3_000] * 4
    await system.turn()
    assert ledger.end is None
    assert "Milvus has not gone on with the vector index" in system.book.report(ledger).message
    assert system.index.ids() == ["old"]
    system.index.unbuilt = []
    system.now += 60
    assert (await system.work(ledger)).state == "succeeded"
    assert system.index.ids() == ["new"]


async def test_an_index_that_finds_fewer_documents_by_their_vectors_is_refused_in_words(
    system: Serverless, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await _written(system)
    filled = system.finisher.filled(ledger.manifest)

    async def found(self: rebuild.Rebuilds, physical: PhysicalName) -> float:
        return 0.5 if physical == filled else 1.0

    monkeypatch.setattr(rebuild.Rebuilds, "_self_retrieval", found)
    assert (await system.work(ledger)).state == "failed"
    message = system.book.report(ledger).message
    assert "searched for by their own vectors, the new collection finds 50%" in message
    assert "golden" not in message, "golden queries are those that people set"
    assert system.index.ids() == ["old"]
