"""The Milvus adapter against a real embedded engine: meaning of filters, names, recovery."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.engine import Encoder
from services.common.errors import CollectionNotFound, DeadlineExceeded, IndexUnavailable
from services.common.filters import compile_filter
from services.common.milvus import MilvusAddress
from services.common.milvus.raw import Hits
from services.common.request_context import Deadline
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Row
from services.recall.domain import Found
from services.recall.legs.fusion import Fusion, fuse
from services.recall.milvus.index import MilvusDocumentIndex, milvus_document_index
from services.recall.milvus.leg_search import _found
from tests.milvus import on_index
from tests.recall.conftest import DOCUMENTS, Filler
from tests.servers import Server, milvus_lite


def soon() -> Deadline:
    return Deadline.after(10)


@pytest.fixture
async def index(milvus: Server, literature: PhysicalName) -> AsyncIterator[MilvusDocumentIndex]:
    async with milvus_document_index(MilvusAddress(milvus.url), ef=128, nprobe=32) as opened:
        yield opened


async def found(
    index: MilvusDocumentIndex, encoder: Encoder, expression: str = ""
) -> Sequence[Found]:
    resolved = await index.resolve("literature", soon())
    vector = encoder.encode_queries(["语言与文化"])[0]
    return await index.nearest(resolved, vector, 10, expression, soon())


def test_a_row_whose_score_is_no_number_leaves_the_others_theirs() -> None:
    """As a vector with a NaN in it gives; no way in takes one, and a row fails no answer."""
    scores = {"a": 0.9, "b": float("nan"), "c": 0.5, "d": float("inf")}
    hits = Hits(list(scores), list(scores.values()), {"version": [1, 2, 3, 4]})
    legs = _found(hits), [Found("c", 7.0)]
    assert [(found.id, found.score) for found in legs[0]] == [("a", 0.9), ("c", 0.5)]
    assert all(math.isfinite(one.score) for one in fuse(*legs, 10, Fusion()))


async def test_a_name_tells_all_about_its_collection(
    index: MilvusDocumentIndex, literature: PhysicalName, encoder: Encoder
) -> None:
    resolved = await index.resolve("literature", soon())
    assert resolved.physical == str(literature)
    assert resolved.encoder == encoder.manifest.fingerprint
    assert resolved.lexical


async def test_a_name_is_looked_up_again_with_another_version(
    milvus: Server, index: MilvusDocumentIndex, fill: Filler
) -> None:
    first = await asyncio.to_thread(fill, milvus.url, "switched")
    assert (await index.resolve("switched", soon(), "v1")).physical == str(first)
    second = await asyncio.to_thread(fill, milvus.url, "switched")
    assert (await index.resolve("switched", soon(), "v1")).physical == str(first)
    assert (await index.resolve("switched", soon())).physical == str(second)
    assert (await index.resolve("switched", soon(), "v2")).physical == str(second)


async def test_a_collection_that_is_gone_is_looked_up_again(
    milvus: Server, index: MilvusDocumentIndex, fill: Filler
) -> None:
    first = await asyncio.to_thread(fill, milvus.url, "emptied")
    known = await index.resolve("emptied", soon(), "v1")
    second = await asyncio.to_thread(fill, milvus.url, "emptied")
    await asyncio.to_thread(on_index, milvus.url, lambda written: written.drop(first))
    for _ in ("the leg that finds out", "a leg that asks after it"):
        with pytest.raises(IndexUnavailable, match="just replaced"):
            await index.matching(known, [["企业"]], 10, "", soon())
    assert (await index.resolve("emptied", soon(), "v1")).physical == str(second)


@pytest.mark.parametrize("words", [None, "", "企业"], ids=["no row", "no words", "all deleted"])
async def test_a_collection_without_words_is_searched_and_has_none(
    milvus: Server, index: MilvusDocumentIndex, encoder: Encoder, words: str | None
) -> None:
    name = PhysicalName("bare", encoder.manifest.fingerprint, "1", time.time_ns())
    vector = encoder.encode(["企业"])[0]

    async def made(written: MilvusVectorIndex) -> None:
        await written.create(name, encoder.dimension, 0)
        if words is not None:
            await written.upsert(name, [Row(Content(id="d1", title="企业"), words, vector)], 1)
        if words:
            await written.delete(name, ["d1"])
        await written.point("bare", name)

    on_index(milvus.url, made)
    bare = await index.resolve("bare", soon())
    assert list(await index.matching(bare, [["企业"], ["公司"]], 10, "", soon())) == []
    found = await index.nearest(bare, vector, 10, "", soon())
    assert [one.id for one in found] == (["d1"] if words == "" else [])


async def test_dense_scores_are_cosines_best_first(
    index: MilvusDocumentIndex, encoder: Encoder
) -> None:
    hits = await found(index, encoder)
    assert {hit.id for hit in hits} == {each.id for each in DOCUMENTS}
    query = encoder.encode_queries(["语言与文化"])[0]
    hits = await index.with_texts(await index.resolve("literature", soon()), hits, soon())
    texts = [encoder.manifest.document_text(hit.title, hit.text) for hit in hits]
    expected = encoder.encode(texts) @ query
    assert [hit.score for hit in hits] == pytest.approx(expected.tolist(), abs=1e-4)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_documents_come_back_as_they_were_written(
    index: MilvusDocumentIndex, literature: PhysicalName
) -> None:
    ids = [each.id for each in DOCUMENTS]
    keys = [(one, None) for one in [*ids, "nowhere"]]
    stored = await index.documents(str(literature), keys, None, soon())
    found = {one.id: (one.title, one.text, one.fields) for one in stored}
    assert found == {each.id: (each.title, each.text, each.fields) for each in DOCUMENTS}


async def test_texts_follow_a_write_although_they_are_kept(
    milvus: Server, index: MilvusDocumentIndex, encoder: Encoder, fill: Filler
) -> None:
    name = await asyncio.to_thread(fill, milvus.url, "rewritten")

    async def titles() -> dict[str, str]:
        resolved = await index.resolve("rewritten", soon())
        vector = encoder.encode_queries(["语言"])[0]
        hits = await index.nearest(resolved, vector, 10, "", soon())
        return {one.id: one.title for one in await index.with_texts(resolved, hits, soon())}

    before = await titles()
    assert before == {each.id: each.title for each in DOCUMENTS}
    row = Row(Content(id="d1", title="新的标题"), "新", encoder.encode(["新的标题"])[0])
    on_index(milvus.url, lambda written: written.upsert(name, [row], 2))
    assert await titles() == before | {"d1": "新的标题"}
    on_index(milvus.url, lambda written: written.delete(name, ["d2"]))
    assert set(await titles()) == set(before) - {"d2"}
    # What a search found a moment ago is still given as it was then.
    found = await index.documents(str(name), [("d1", 1), ("d2", 1)], None, soon())
    assert {one.id: one.title for one in found} == {one: before[one] for one in ("d1", "d2")}
    now = await index.documents(str(name), [("d1", 2), ("d2", None)], None, soon())
    assert [(one.id, one.title) for one in now] == [("d1", "新的标题")]


async def test_words_of_several_characters_stay_whole(index: MilvusDocumentIndex) -> None:
    resolved = await index.resolve("literature", soon())
    hits = await index.matching(resolved, [["企业"]], 10, "", soon())
    assert {hit.id for hit in hits} == {"d2", "d3"}
    assert all(hit.score > 0 for hit in hits)
    assert not await index.matching(resolved, [["业"]], 10, "", soon())


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ({"discipline": "经济学"}, {"d2", "d3"}),
        ({"discipline": 'a"b\\c\nd'}, {"d4"}),
        ({"keywords": "文化"}, {"d1"}),
        ({"keywords": {"any": ["文化", "创新"]}}, {"d1", "d2"}),
        ({"keywords": {"all": ["语言", "文化"]}}, {"d1"}),
        ({"discipline": {"any": ["语言学", "数学"]}}, {"d1"}),
        ({"year": {"gte": 2015, "lt": 2020}}, {"d1"}),
        ({"year": {"gt": 2015}}, {"d2"}),
        ({"year": {"ne": 2015}}, {"d2", "d3", "d4"}),
        ({"open": True}, {"d3"}),
        ({"not": {"discipline": "经济学"}}, {"d1", "d4"}),
        ({"not": {"keywords": "文化"}}, {"d2", "d3", "d4"}),
        ({"or": [{"year": 2015}, {"open": True}]}, {"d1", "d3"}),
        ({"and": [{"discipline": "经济学"}, {"not": {"open": True}}]}, {"d2"}),
        ({"not": {"or": [{"year": 2015}, {"open": True}]}}, {"d2", "d4"}),
        ({"year": -1.5}, set()),
    ],
)
async def test_filters_mean_what_they_say(
    index: MilvusDocumentIndex, encoder: Encoder, condition: dict[str, Any], ids: set[str]
) -> None:
    hits = await found(index, encoder, compile_filter(condition))
    assert {hit.id for hit in hits} == ids


async def test_an_unknown_name_is_not_found(index: MilvusDocumentIndex) -> None:
    with pytest.raises(CollectionNotFound, match="no collection nowhere"):
        await index.resolve("nowhere", soon())


async def test_no_time_is_a_deadline(index: MilvusDocumentIndex) -> None:
    with pytest.raises(DeadlineExceeded):
        await index.resolve("literature", Deadline.after(0))


async def test_a_killed_server_is_reported_and_comes_back_alone(
    tmp_path: Path, fill: Filler, encoder: Encoder
) -> None:
    with milvus_lite(tmp_path) as server:
        fill(server.url, "literature")
        async with milvus_document_index(MilvusAddress(server.url), ef=128, nprobe=32) as index:
            assert len(await found(index, encoder)) == len(DOCUMENTS)
            server.kill()
            with pytest.raises(IndexUnavailable):
                await found(index, encoder)
            with pytest.raises(IndexUnavailable):
                await index.check()
            server.start()
            async with asyncio.timeout(20):
                while True:
                    try:
                        hits = await found(index, encoder)
                        break
                    except IndexUnavailable:
                        await asyncio.sleep(0.05)
            assert len(hits) == len(DOCUMENTS)
            await index.check()
