"""What milvus-lite 3 stored is read with its own rules: the newest row counts, deletions hold."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.client.scripted import ScriptedGateway, job, problem, scripted_gateway
from xunwen import Client
from xunwen.embedded.earlier import carry_over, documents
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.settings import EmbeddedSettings


def rows(*items: tuple[int, str, str]) -> "pa.Table":
    """Rows as (sequence number, id, title)."""
    return pa.table(
        {
            "_seq": [seq for seq, _, _ in items],
            "id": [identity for _, identity, _ in items],
            "title": [title for _, _, title in items],
            "text": ["" for _ in items],
            "fields": [json.dumps({"year": seq}) for seq, _, _ in items],
        }
    )


def deletions(*items: tuple[int, str]) -> "pa.Table":
    """Deletions as (sequence number, id)."""
    return pa.table({"id": [one for _, one in items], "_seq": [seq for seq, _ in items]})


def collection(folder: Path, data: Sequence[Any], delta: Sequence[Any]) -> None:
    """The Parquet files of a collection and the manifest that lists them."""
    partition = folder / "partitions" / "_default"
    files: dict[str, list[str]] = {"data_files": [], "delta_files": []}
    for kind, tables in (("data", data), ("delta", delta)):
        (partition / kind).mkdir(parents=True)
        for number, table in enumerate(tables):
            file = f"{kind}/{kind}_{number}.parquet"
            pq.write_table(table, partition / file)
            files[f"{kind}_files"].append(file)
    (folder / "manifest.json").write_text(json.dumps({"partitions": {"_default": files}}))


def log(folder: Path, name: str, *tables: Any) -> Path:
    (folder / "wal").mkdir(exist_ok=True)
    path = folder / "wal" / name
    with path.open("wb") as sink, pa.ipc.new_stream(sink, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)
    return path


def titles(folder: Path) -> dict[str, str]:
    return {item["id"]: item["title"] for item in documents(folder)}


def test_files_and_log_are_one_history(tmp_path: Path) -> None:
    written = rows((1, "a", "alt"), (2, "b", "bleibt"), (3, "c", "weg"), (4, "d", "weg"))
    collection(tmp_path, [written, rows((7, "d", "wieder"))], [deletions((5, "c"), (6, "d"))])
    log(tmp_path, "wal_data_000002.arrow", rows((8, "a", "neu")), rows((9, "e", "dazu")))
    log(tmp_path, "wal_delta_000002.arrow", deletions((10, "e"), (10, "nie da")))
    assert titles(tmp_path) == {"a": "neu", "b": "bleibt", "d": "wieder"}
    assert next(documents(tmp_path))["fields"] == {"year": 8}


def test_a_log_that_a_kill_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    collection(tmp_path, [], [])
    path = log(tmp_path, "wal_data_000001.arrow", rows((1, "a", "ganz")), rows((2, "b", "halb")))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 120])
    assert titles(tmp_path) == {"a": "ganz"}


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture
def old(settings: EmbeddedSettings) -> Path:
    """The folder of an earlier home with the collection `notes`."""
    old = settings.home / "milvus"
    (old / "collections").mkdir()
    collection(old / "collections" / "notes_1", [rows((1, "a", "alt"))], [])
    (old / "aliases.json").write_text('{"notes": "notes_1"}')
    return old


def carried(gateway: ScriptedGateway, settings: EmbeddedSettings) -> list[str]:
    with Client(gateway.url) as client:
        return [job.state.value for job in carry_over(client, settings)]


def test_documents_are_carried_over_once(
    gateway: ScriptedGateway, old: Path, settings: EmbeddedSettings
) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    gateway.answer(200, job("succeeded"))
    assert carried(gateway, settings)[-1] == "succeeded"
    assert gateway.asked[0].headers["idempotency-key"] == "earlier-notes_1"
    assert json.loads(gateway.asked[0].body)["title"] == "alt"
    assert not (old / "collections").exists()
    assert (settings.home / "milvus-lite-3" / "collections" / "notes_1").is_dir()
    assert carried(gateway, settings) == []


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_failed_is_tried_again_at_the_next_start(
    state: str, gateway: ScriptedGateway, old: Path, settings: EmbeddedSettings
) -> None:
    """The system does not start without the documents, so nobody could ask for it."""
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job(state))
    gateway.answer(202, job("queued"))
    gateway.answer(200, job("succeeded"))
    assert carried(gateway, settings)[-1] == "succeeded"
    assert gateway.asked[2].path == "/v1/index-jobs/j1:retry"
    assert not (old / "collections").exists()


@pytest.mark.parametrize("refused", [True, False])
def test_a_job_that_fails_again_says_what_to_do(
    refused: bool, gateway: ScriptedGateway, old: Path, settings: EmbeddedSettings
) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("failed"))
    if refused:
        gateway.answer(409, problem(409, "conflict", "Nothing of this job can be retried."))
    else:
        gateway.answer(202, job("queued"))
        gateway.answer(200, {**job("failed"), "message": "The disk is full."})
    with pytest.raises(EmbeddedError, match=r"`xunwen up` tries .* again.* move .*/collections"):
        carried(gateway, settings)
    assert (old / "collections").is_dir()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("aliases.json", b"{"),
        ("aliases.json", b'{"notes": "gone"}'),
        ("collections/notes_1/manifest.json", b"{}"),
        ("collections/notes_1/partitions/_default/data/data_0.parquet", b"PAR1"),
    ],
)
def test_damaged_documents_are_told_in_words(
    file: str, content: bytes, gateway: ScriptedGateway, old: Path, settings: EmbeddedSettings
) -> None:
    (old / file).write_bytes(content)
    with pytest.raises(EmbeddedError, match=r"cannot be read.* move .*/collections"):
        carried(gateway, settings)
    assert gateway.asked == []
