"""The Milvus adapter against a real milvus-lite: meaning of filters, names, recovery."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.common.collection import PhysicalName
from services.common.engine import Encoder
from services.common.errors import CollectionNotFound, DeadlineExceeded, IndexUnavailable
from services.common.filters import compile_filter
from services.common.request_context import Deadline
from services.recall.domain import Found
from services.recall.milvus import MilvusIndex, milvus_index
from tests.recall.conftest import DOCUMENTS, Filler
from tests.servers import Server, milvus_lite


def soon() -> Deadline:
    return Deadline.after(10)


@pytest.fixture
async def index(milvus: Server, literature: PhysicalName) -> AsyncIterator[MilvusIndex]:
    async with milvus_index(milvus.url, None, ef=128, nprobe=32) as opened:
        yield opened


async def found(index: MilvusIndex, encoder: Encoder, expression: str = "") -> list[Found]:
    resolved = await index.resolve("literature", soon())
    vector = encoder.encode_queries(["语言与文化"])[0]
    return await index.nearest(resolved, vector, 10, expression, soon())


async def test_a_name_tells_all_about_its_collection(
    index: MilvusIndex, literature: PhysicalName, encoder: Encoder
) -> None:
    resolved = await index.resolve("literature", soon())
    assert resolved.physical == str(literature)
    assert resolved.encoder == encoder.manifest.fingerprint
    assert resolved.lexical


async def test_dense_scores_are_cosines_best_first(index: MilvusIndex, encoder: Encoder) -> None:
    hits = await found(index, encoder)
    assert {hit.id for hit in hits} == {each.id for each in DOCUMENTS}
    query = encoder.encode_queries(["语言与文化"])[0]
    texts = [encoder.manifest.document_text(hit.title, hit.text) for hit in hits]
    expected = encoder.encode(texts) @ query
    assert [hit.score for hit in hits] == pytest.approx(expected.tolist(), abs=1e-4)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_documents_come_back_as_they_were_written(
    index: MilvusIndex, encoder: Encoder
) -> None:
    hits = {hit.id: hit for hit in await found(index, encoder)}
    for document in DOCUMENTS:
        hit = hits[document.id]
        assert (hit.title, hit.text, hit.fields) == (
            document.title, document.text, document.fields,
        )  # fmt: skip


async def test_words_of_several_characters_stay_whole(index: MilvusIndex) -> None:
    resolved = await index.resolve("literature", soon())
    hits = await index.matching(resolved, ["企业"], 10, "", soon())
    assert {hit.id for hit in hits} == {"d2", "d3"}
    assert all(hit.score > 0 for hit in hits)
    assert await index.matching(resolved, ["业"], 10, "", soon()) == []


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
    index: MilvusIndex, encoder: Encoder, condition: dict[str, Any], ids: set[str]
) -> None:
    hits = await found(index, encoder, compile_filter(condition))
    assert {hit.id for hit in hits} == ids


async def test_an_unknown_name_is_not_found(index: MilvusIndex) -> None:
    with pytest.raises(CollectionNotFound, match="no collection nowhere"):
        await index.resolve("nowhere", soon())


async def test_no_time_is_a_deadline(index: MilvusIndex) -> None:
    with pytest.raises(DeadlineExceeded):
        await index.resolve("literature", Deadline.after(0))


async def test_a_killed_server_is_reported_and_comes_back_alone(
    tmp_path: Path, fill: Filler, encoder: Encoder
) -> None:
    with milvus_lite(tmp_path) as server:
        fill(server.url, "literature")
        async with milvus_index(server.url, None, ef=128, nprobe=32) as index:
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
