"""Damaged files beside the documents: each is told, and harms no other collection."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from services.common.collection import PhysicalName
from services.common.errors import StorageDamaged, Unavailable
from services.common.model_dir.encoders import EncoderDirectories
from services.common.text import Analyzers
from services.common.wire.golden import GoldenQuery
from services.indexer.dictionaries import Dictionaries
from services.indexer.index.collections.records import CollectionRecords
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.index.gate.golden import GoldenSets
from services.indexer.index.milvus.journal import Journal, Replacement
from services.indexer.jobs.housekeeping import Housekeeping
from services.indexer.store import ObjectStore
from services.indexer.tables import pack_rows
from tests.indexer.in_memory import NAME, TENANT
from tests.indexer.installation import Installation, documents
from tests.indexer.serverless import Serverless, row

OTHER = "others"
RECORD = f"collections/{NAME}.json"
DELETIONS = f"tombstones/{NAME}/{7:016x}"
GOLDEN = f"golden/{NAME}.json"
DAMAGED = [b"", b"{", b"null", b"[1]", b'"a"', b"\xff\xfe", b'{"fields": {"a": 1}}', b'{"new": 1}']


async def read(store: ObjectStore, key: str) -> None:
    """Reads the file of a collection as the indexer does."""
    if key == RECORD:
        await CollectionRecords(store).read(NAME)
    elif key == DELETIONS:
        await Tombstones.read(store, NAME)
    else:
        await GoldenSets(store).read(NAME)


@pytest.mark.parametrize("content", DAMAGED, ids=str)
@pytest.mark.parametrize(
    ("key", "says"),
    [
        (RECORD, r"The record of collection 'papers' .*declare the fields again"),
        (DELETIONS, r"A list of deletions of collection 'papers' .*delete those documents again"),
        (GOLDEN, r"golden queries of collection 'papers' .*PUT .*/papers/golden-queries"),
    ],
    ids=["record", "deletions", "golden queries"],
)
async def test_a_damaged_file_is_told_with_what_to_do(
    tmp_path: Path, key: str, says: str, content: bytes
) -> None:
    store = ObjectStore(str(tmp_path))
    store.write(key, content)
    if key == DELETIONS and content == b"null":
        store.write(key, b"[null]")
    with pytest.raises(StorageDamaged, match=says) as told:
        await read(store, key)
    assert str(tmp_path) not in told.value.detail
    assert store.exists(key), "it stays for whoever can mend it"


@pytest.mark.parametrize("key", [RECORD, DELETIONS, GOLDEN])
async def test_every_flipped_byte_of_such_a_file_is_read_or_told(tmp_path: Path, key: str) -> None:
    store = ObjectStore(str(tmp_path))
    await CollectionRecords(store).change(NAME, fields={"t": TENANT.model_dump(mode="json")})
    await Tombstones(store, NAME).add(["一", "2"], 7)
    await GoldenSets(store).write(NAME, [GoldenQuery(query="冻土", ids=["1"])])
    whole = store.read(key)
    await read(store, key)
    told = 0
    for place in range(len(whole)):
        for mask in (0x01, 0x20, 0x80):
            damaged = bytes([*whole[:place], whole[place] ^ mask, *whole[place + 1 :]])
            store.write(key, damaged)
            try:
                await read(store, key)
            except StorageDamaged:
                told += 1
    assert told > len(whole)


async def test_files_of_others_among_the_deletions_are_left_alone(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path))
    await Tombstones(store, NAME).add(["1"], 7)
    for name in (".nfs0000001", ".DS_Store", "0000000000000007~"):
        store.write(f"tombstones/{NAME}/{name}", b"\x00")
    kept = await Tombstones.read(store, NAME)
    assert kept.newest == 7
    await kept.prune(8)
    left = {".nfs0000001", ".DS_Store", "0000000000000007~"}
    assert set(store.names(f"tombstones/{NAME}")) == left


async def test_a_damaged_dictionary_is_told(tmp_path: Path, encoders: EncoderDirectories) -> None:
    system = Serverless(tmp_path, encoders)
    await system.book.load()
    await system.hold()
    await system.collections.set_words(NAME, ["草原生态补偿"])
    [identity] = system.store.names(f"dictionaries/{NAME}")
    for content in (b"\xff", b"", "草原".encode()):
        system.store.write(f"dictionaries/{NAME}/{identity}", content)
        again = Serverless(tmp_path, encoders, system.index, Analyzers())
        with pytest.raises(Unavailable, match=r"set its words again with PUT .*/papers/dictionary"):
            await again.collections.words.wanted(NAME)
        await again.collections.set_words(NAME, ["草原生态补偿"])
        assert (await again.collections.words.wanted(NAME)).identity == identity
    assert isinstance(Dictionaries(system.store, cast("Any", None)).words(NAME, identity), list)


async def test_a_damaged_note_of_a_replacement_holds_up_no_write(
    tmp_path: Path, encoders: EncoderDirectories, caplog: pytest.LogCaptureFixture
) -> None:
    """Every write waits until the notes are read, and the look at all jobs does."""
    store = ObjectStore(str(tmp_path))
    damaged, whole = (PhysicalName(name, "0" * 16, "1", 1) for name in (NAME, OTHER))
    content = pack_rows([row("1", encoders)])
    store.write(f"replacements/{damaged}/{5:016x}", content[: len(content) // 2])
    store.write(f"replacements/{damaged}/.nfs01", b"")
    store.write(f"replacements/{whole}/{6:016x}", content)
    left: list[Replacement] = await Journal(store).left()
    assert [(one.physical, one.version) for one in left] == [(whole, 6)]
    assert "may be missing" in caplog.text
    assert store.exists(f"replacements/{damaged}/{5:016x}")


@pytest.mark.parametrize("key", [RECORD, DELETIONS])
async def test_other_collections_go_on(
    tmp_path: Path, encoders: EncoderDirectories, key: str
) -> None:
    before = Serverless(tmp_path, encoders)
    await before.book.load()
    for name in (NAME, OTHER):
        await before.collections.create(name, None, {"t": TENANT})
    job = await before.submitted("a")
    await before.plan(job)
    await before.work(job)
    before.store.write(key, b"\xff")
    before.store.write(f"tombstones/{OTHER}/{7:016x}", b'["1"]')

    system = Serverless(tmp_path, encoders, before.index)
    await system.book.load()
    listed = {one.name: one for one in await system.collections.list()}
    assert [*listed] == [OTHER, NAME]
    assert listed[OTHER].fields == {"t": TENANT}
    assert bool(listed[NAME].problem) is (key == RECORD)
    assert listed[OTHER].problem == ""
    with pytest.raises(StorageDamaged):
        await system.writer.accept(NAME)
    assert await system.writer.accept(OTHER)

    rebuilds = cast("Any", system.supervisor._finisher)._rebuilds
    housekeeping = Housekeeping(
        system.book,
        system.collections,
        rebuilds,
        retention=timedelta(days=1),
        retained_jobs=10,
    )
    system.supervisor._housekeeping = housekeeping
    await system.turn()
    assert system.index.ids() == ["a"], "nothing is lost"
    system.store.remove(key)
    assert await system.writer.accept(NAME)


def test_a_damaged_collection_says_so_and_the_others_go_on(indexer: Installation) -> None:
    client, storage = indexer.client, indexer.folder / "storage"
    for name in ("broken_record", "broken_golden", "whole"):
        made = client.post("/collections", json={"name": name, "fields": {"year": "number"}})
        assert made.status_code == 201, made.text
    golden = {"queries": [{"query": "冻土", "ids": ["1"]}]}
    client.put("/collections/broken_golden/golden-queries", json=golden).raise_for_status()
    record, queries = (
        storage / "collections/broken_record.json",
        storage / "golden/broken_golden.json",
    )
    kept = record.read_bytes()
    record.write_bytes(kept[:-3])
    queries.write_bytes(b"\xff")
    indexer.restart_with_settings(indexer.api)

    answer = client.put("/collections/broken_record/documents/1", json={"title": "冻土"})
    assert (answer.status_code, answer.json()["code"]) == (500, "storage_damaged")
    assert "record of collection 'broken_record'" in answer.json()["detail"]
    assert "backup" in answer.json()["detail"]
    answer = client.get("/collections/broken_golden/golden-queries")
    assert (answer.status_code, answer.json()["code"]) == (500, "storage_damaged")
    client.put("/collections/broken_golden/golden-queries", json=golden).raise_for_status()
    assert client.get("/collections/broken_golden/golden-queries").json() == golden
    listed = {one["name"]: one for one in client.get("/collections").json()["collections"]}
    assert listed["broken_record"]["problem"]
    assert listed["whole"]["problem"] == ""
    assert listed["whole"]["fields"]["year"]["type"] == "number"
    client.put("/collections/whole/documents/1", json={"title": "冻土"}).raise_for_status()
    indexer.succeeded(indexer.submit("whole", documents(5)))

    record.write_bytes(kept)
    client.put("/collections/broken_record/documents/1", json={"title": "冻土"}).raise_for_status()
    assert client.get("/collections/broken_record").json()["problem"] == ""
    for name in ("broken_record", "broken_golden", "whole"):
        client.delete(f"/collections/{name}").raise_for_status()
