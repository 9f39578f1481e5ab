"""Passages on every engine: a document is found in one version, whole, whatever is killed."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from services.common.collection import PassageKey, PhysicalName, passages_name
from services.common.documents import Content
from services.common.errors import IndexUnavailable
from services.common.milvus import MilvusConnection
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.passages import cut
from services.indexer.rows import Row
from tests.analyzers import ANALYZER
from tests.engines.rows import DIMENSION, row, unit
from tests.milvus import on_connection, on_index
from tests.servers import Server

LONG = "".join(f"第{n}句说明检索系统怎样处理很长的文献。" for n in range(60))
PAGES = f"# 引言\n{LONG}\f## 方法\n{LONG}"


@pytest.fixture
def physical(engine: Server) -> Iterator[PhysicalName]:
    """An empty collection, dropped afterwards."""
    name = PhysicalName("long", "0" * 16, "1", time.time_ns())
    on_index(engine.url, lambda index: index.create(name, DIMENSION, 0))
    yield name
    on_index(engine.url, lambda index: index.drop(name))


def long(identity: str, body: str, number: int = 0) -> Row:
    """A row whose passages have vectors from `number` on."""
    document = Content(id=identity, title="题", body=body, fields={"year": 2015})
    parts = cut(document, ANALYZER)
    vectors = [unit(number + place) for place in range(len(parts.spans))]
    return Row(document, "题", unit(number), passages=parts.encoded(vectors))


async def whole(index: MilvusVectorIndex, physical: PhysicalName, ids: list[str]) -> list[Row]:
    rows = await index.documents(physical, ids)
    return [one async for some in index.with_bodies(physical, rows, vectors=True) for one in some]


def stored(url: str, physical: PhysicalName) -> set[tuple[str, int]]:
    """Document and version of all passages."""

    async def ask(connection: MilvusConnection) -> set[tuple[str, int]]:
        name = passages_name(physical)
        rows = await connection.ask(
            "query",
            lambda client: client.query(
                name,
                filter='id != ""',
                output_fields=["id"],
                limit=10_000,
                consistency_level="Strong",
            ),
            30,
            name,
        )
        keys = [PassageKey.parse(one["id"]) for one in rows]
        return {(key.document, key.version) for key in keys}

    return on_connection(url, ask)


def test_titles_alone_make_no_collection_of_passages(
    engine: Server, physical: PhysicalName
) -> None:
    on_index(engine.url, lambda index: index.upsert(physical, [row("a")], 1))
    names = on_connection(
        engine.url,
        lambda connection: connection.ask("list", lambda client: client.list_collections(), 30),
    )
    assert str(physical) in names
    assert passages_name(physical) not in names


def test_a_body_comes_back_as_it_was_with_its_places(
    engine: Server, physical: PhysicalName
) -> None:
    given = long("it's", PAGES)

    async def use(index: MilvusVectorIndex) -> Row:
        await index.upsert(physical, [row("a"), given, row("b", 3)], 5)
        assert await index.count(physical) == 3
        assert [one.id async for one in index.scan(physical)] == ["a", "b", "it's"]
        rows = await whole(index, physical, ["a", "it's", "b"])
        assert {one.id: bool(one.passages) for one in rows} == {
            "a": False,
            "b": False,
            given.id: True,
        }
        return next(one for one in rows if one.passages)

    found = on_index(engine.url, use)
    assert found.document.body == PAGES
    assert given.passages is not None
    assert found.passages is not None
    assert found.passages.spans == given.passages.spans
    assert {span.page for span in found.passages.spans} == {1, 2}
    assert found.passages.spans[-1].section == "引言 › 方法"
    np.testing.assert_allclose(found.passages.vectors, given.passages.vectors, atol=1e-6)


def test_a_long_text_has_passages_and_stays_a_text(engine: Server, physical: PhysicalName) -> None:
    document = Content(id="t", title="题", text=LONG * 2)
    parts = cut(document, ANALYZER)
    assert len(parts.spans) > 4
    given = Row(document, "题", unit(0), passages=parts.encoded([unit(1) for _ in parts.spans]))

    async def use(index: MilvusVectorIndex) -> tuple[list[Row], list[Row]]:
        await index.upsert(physical, [given, long("b", PAGES)], 5)
        return await whole(index, physical, ["t"]), await whole(index, physical, ["b"])

    [text], [body] = on_index(engine.url, use)
    assert (text.document.text, text.document.body) == (LONG * 2, "")
    assert (body.document.text, body.document.body) == ("", PAGES)
    assert text.passages is not None
    assert text.passages.spans == parts.spans
    assert stored(engine.url, physical) == {("t", 5), ("b", 5)}


def test_a_replaced_or_deleted_document_leaves_no_passage(
    engine: Server, physical: PhysicalName
) -> None:
    async def use(index: MilvusVectorIndex) -> None:
        await index.upsert(physical, [long("a", PAGES), long("b", LONG), long("c", LONG)], 5)
        await index.upsert(physical, [long("a", LONG[:200]), row("b")], 7)
        await index.delete(physical, ["c"])

    on_index(engine.url, use)
    assert stored(engine.url, physical) == {("a", 7)}


class Killed(MilvusVectorIndex):
    """An index whose process dies between the passages and the rows, or behind the rows."""

    def __init__(self, inner: MilvusVectorIndex, *, behind: bool) -> None:
        self.__dict__ = dict(inner.__dict__)
        self._behind = behind

    async def _insert_or_replace(
        self, physical: PhysicalName, rows: Sequence[Row], version: int
    ) -> None:
        if self._behind:
            await super()._insert_or_replace(physical, rows, version)
        raise IndexUnavailable("killed")

    async def _upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        if self._behind:
            await super()._upsert(physical, rows, version)
        raise IndexUnavailable("killed")


@pytest.mark.parametrize("behind", [False, True])
def test_a_document_is_whole_in_one_version_after_a_kill(
    engine: Server, physical: PhysicalName, *, behind: bool
) -> None:
    async def write(index: MilvusVectorIndex) -> None:
        await index.upsert(physical, [long("a", PAGES)], 5)
        with pytest.raises(IndexUnavailable):
            await Killed(index, behind=behind).upsert(physical, [long("a", LONG, 9)], 7)

    on_index(engine.url, write)
    assert stored(engine.url, physical) == {("a", 5), ("a", 7)}

    async def restarted(index: MilvusVectorIndex) -> Row:
        await index.recover()
        [found] = await whole(index, physical, ["a"])
        return found

    found = on_index(engine.url, restarted)
    assert (found.version, found.document.body) == ((7, LONG) if behind else (5, PAGES))
    assert stored(engine.url, physical) == {("a", found.version)}


def test_an_attempt_again_completes_what_a_kill_left(
    engine: Server, physical: PhysicalName
) -> None:
    async def use(index: MilvusVectorIndex) -> Row:
        with pytest.raises(IndexUnavailable):
            await Killed(index, behind=False).upsert(physical, [row("a"), long("b", LONG)], 5)
        await index.upsert(physical, [row("a"), long("b", LONG)], 5)
        [found] = await whole(index, physical, ["b"])
        return found

    found = on_index(engine.url, use)
    assert found.document.body == LONG
    assert found.passages is not None
    assert len(found.passages) == len(cut(found.document, ANALYZER).spans)
