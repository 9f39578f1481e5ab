"""Passages become documents: by the best of each, of the version that counts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.common.collection import Field, PassageField, PassageKey, stored_id
from services.common.milvus.raw import Hits
from services.common.request_context import Deadline
from services.common.text.passages import passages as cut
from services.recall.domain import Found, Index
from services.recall.legs.fusion import Fusion, fuse
from services.recall.milvus import passages
from services.recall.milvus.contents import KeptContents
from services.recall.milvus.passage_collections import PassageCollections
from services.recall.milvus.passage_search import PassageFound, PassageSearch, by_best_passage
from services.recall.milvus.passages import PassageReader
from services.recall.milvus.reading import Leg, Reader

INDEX = Index("p", "e", "1", lexical=True, version="1")
LEG = Leg(Field.LEXICAL, ["词"], "BM25", 10, "", lambda _: {})


def searching(server: object) -> PassageSearch:
    """The search of passages on a server of the test."""
    reader = cast(Reader, server)
    return PassageSearch(reader, PassageCollections(reader))


def reading(server: object) -> PassageReader:
    """The reader of passages on a server of the test."""
    reader = cast(Reader, server)
    return PassageReader(reader, KeptContents(), PassageCollections(reader))


def found(document: str, version: int, number: int, score: float) -> PassageFound:
    return PassageFound(PassageKey(document, version, number), score)


def test_a_document_has_the_best_score_of_its_row_and_its_passages() -> None:
    heads = [Found("a", 0.9, version=5), Found("b", 0.4, version=6)]
    passages = [found("b", 6, 3, 0.8), found("a", 5, 1, 0.7), found("b", 6, 0, 0.6)]
    documents = by_best_passage(heads, passages, {"a": 5, "b": 6})
    assert [(one.id, one.score, one.version) for one in documents] == [("a", 0.9, 5), ("b", 0.8, 6)]
    assert documents[1].passages == ((3, 0.8), (0, 0.6))


def test_passages_of_another_version_or_without_a_row_count_for_nothing() -> None:
    passages = [found("a", 4, 0, 0.9), found("gone", 4, 0, 0.8), found("a", 5, 7, 0.3)]
    documents = by_best_passage([], passages, {"a": 5})
    assert [(one.id, one.passages) for one in documents] == [("a", ((7, 0.3),))]


def test_the_passage_that_both_legs_find_is_the_best() -> None:
    dense = [Found("a", 0.9, passages=((0, 0.9), (1, 0.8))), Found("b", 0.1)]
    lexical = [Found("a", 9.0, passages=((1, 9.0), (2, 3.0))), Found("b", 1.0)]
    best = fuse(dense, lexical, 10, Fusion(dense_weight=0.5))[0].document
    assert [number for number, _ in best.passages] == [1, 0, 2]
    alone = fuse([], lexical, 10, Fusion())[0].document
    assert [number for number, _ in alone.passages] == [1, 2]


@dataclass
class FakeReader:
    """A server whose document is replaced between the first search and the look at its row."""

    hits: list[list[PassageFound]]
    stored: dict[str, int]
    """Versions of the documents that are there."""
    there: bool = True
    asked: int = 0
    expressions: list[str] = field(default_factory=list)

    async def ask(self, what: str, call: object, name: str, deadline: Deadline) -> Any:
        self.asked += 1
        return self.there if self.asked == 1 or not self.there else {"index_type": "FLAT"}

    async def search(self, *_: object) -> list[Hits]:
        one = self.hits.pop(0) if len(self.hits) > 1 else self.hits[0]
        keys = [str(key) for key, _ in one]
        return [Hits(keys, [score for _, score in one], {})]

    async def rows(self, *asked: Any) -> list[dict[str, Any]]:
        self.expressions.append(asked[-1])
        return [
            {Field.ID: stored_id(one), Field.VERSION: version}
            for one, version in self.stored.items()
        ]

    async def versions(self, *asked: Any) -> dict[str, int]:
        return await Reader.versions(cast(Reader, self), *asked)


def leg(reader: FakeReader, one: Leg = LEG) -> list[Found]:
    async def ask() -> list[Found]:
        passages = searching(reader)
        soon = Deadline.after(10)
        return await passages.grouped(INDEX, one, [], await passages.found(INDEX, one, soon), soon)

    return asyncio.run(ask())


def test_a_document_that_is_replaced_meanwhile_is_found_by_its_new_passages() -> None:
    reader = FakeReader([[found("it's", 5, 0, 0.9)], [found("it's", 7, 2, 0.8)]], {"it's": 7})
    assert [(one.version, one.passages) for one in leg(reader)] == [(7, ((2, 0.8),))]


def test_rows_that_the_filter_leaves_out_leave_their_passages_out() -> None:
    reader = FakeReader([[found("a", 5, 0, 0.9)]], {})
    hidden = Leg(Field.LEXICAL, ["词"], "BM25", 10, 'id != "a"', lambda _: {})
    assert leg(reader, hidden) == []
    assert reader.expressions == ['id != "a"']


@dataclass
class Ways(FakeReader):
    """A server that finds other documents for each wording of a query."""

    most: int = 0
    """Most keys of one call."""

    async def search(self, *asked: Any) -> list[Hits]:
        one: Leg = asked[1]
        return [
            Hits(
                [str(PassageKey(f"{way}-{at}", 1, 0)) for at in range(one.n)],
                [1.0 / (2 + at) + 0.001 * way for at in range(one.n)],
                {},
            )
            for way in range(len(one.queries))
        ]

    async def rows(self, *asked: Any) -> list[dict[str, Any]]:
        keys: Sequence[str] = asked[1]
        self.most = max(self.most, len(keys))
        return [{Field.ID: one, Field.VERSION: 1} for one in keys]


def test_no_more_rows_are_asked_for_than_documents_are_wanted() -> None:
    """The wordings of one query may find more than a server looks up in one call."""
    reader = Ways([], {})
    every = Leg(Field.LEXICAL, ["词"] * 16, "BM25", 2_000, "", lambda _: {})
    documents = leg(reader, every)
    assert len(documents) == 2_000
    assert documents[0].id == "15-0"
    assert [one.score for one in documents] == sorted(one.score for one in documents)[::-1]
    assert reader.most <= 2_000


def test_a_collection_without_passages_is_asked_once_for_a_version() -> None:
    reader = FakeReader([[]], {}, there=False)

    async def ask() -> None:
        passages = searching(reader)
        for _ in range(3):
            both = [passages.found(INDEX, LEG, Deadline.after(10)) for _ in range(2)]
            assert await asyncio.gather(*both) == [[], []]

    asyncio.run(ask())
    assert reader.asked == 1


@dataclass
class Stored:
    """A server that holds documents with their passages, each document of its own version."""

    bodies: Mapping[str, str]
    lost: PassageKey | None = None
    """A passage that is gone since its document was looked at."""
    asked: list[str] = field(default_factory=list)
    """Keys of the passages that were fetched."""

    async def ask(self, what: str, call: object, name: str, deadline: Deadline) -> Any:
        return {"index_type": "FLAT"}

    def version(self, identity: str) -> int:
        return 1 + [*self.bodies].index(identity)

    def passage(self, key: PassageKey) -> dict[str, Any] | None:
        """The row of a passage; None for one that does not exist."""
        spans = cut(self.bodies[key.document], overlap=30)
        if key == self.lost or key.number >= len(spans):
            return None
        span = spans[key.number]
        return {
            Field.ID: str(key),
            PassageField.COUNT: len(spans),
            PassageField.PAGE: 0,
            PassageField.START: span.start,
            Field.TEXT: self.bodies[key.document][span.start : span.end],
        }

    async def rows(self, name: str, keys: Sequence[str], *_: object) -> list[dict[str, Any]]:
        if name == INDEX.physical:
            return [
                {Field.ID: stored_id(one), Field.VERSION: self.version(one)}
                for one in keys
                if one in self.bodies
            ]
        self.asked += keys
        rows = [self.passage(PassageKey.parse(key)) for key in keys]
        return [row for row in rows[::-1] if row]

    async def versions(self, *asked: Any) -> dict[str, int]:
        return await Reader.versions(cast(Reader, self), *asked)

    def read(self) -> list[dict[str, str]]:
        """The bodies of all documents and of one that does not exist, as they are given."""

        async def read() -> list[dict[str, str]]:
            reader = reading(self)
            asked = [*self.bodies, "absent"]
            return [some async for some in reader.bodies(INDEX, asked, Deadline.after(10))]

        return asyncio.run(read())


def test_bodies_are_in_memory_as_far_as_their_passages_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passages, "_AT_ONCE", 10)
    monkeypatch.setattr(passages, "_ASKED", 4)
    text = "".join(f"第{number}段记录各观测站的常规巡检。\n" for number in range(300))
    bodies = {"it's": text} | {f"d{n}": text[: 400 * (n % 5)] for n in range(12)}
    found = Stored(bodies).read()
    assert {one: body for some in found for one, body in some.items()} == {
        one: body for one, body in bodies.items() if body
    }
    assert len(cut(text)) > 10
    assert ["it's"] in [[*some] for some in found]
    assert len(found) > 2
    assert all(
        len(some) == 1 or sum(len(cut(bodies[one], overlap=30)) for one in some) <= 10
        for some in found
    )


def test_a_body_whose_passage_is_gone_has_the_others() -> None:
    text = "".join(f"第{number}段记录各观测站的常规巡检。\n" for number in range(100))
    span = cut(text, overlap=30)[2]
    [found] = Stored({"a": text}, PassageKey("a", 1, 2)).read()
    assert text[: span.start] in found["a"]
    assert text[span.end :] in found["a"]


def test_a_body_whose_own_row_was_found_is_read_from_its_beginning() -> None:
    """Rank would get nothing to read of it otherwise."""
    text = "".join(f"第{number}段记录各观测站的常规巡检。\n" for number in range(100))
    server = Stored({"by row": text, "by passage": text, "title alone": "", "text": text})
    reader = reading(server)
    given = [
        Found("by row", 0.9, "题", version=1),
        Found("by passage", 0.8, "题", version=2, passages=((3, 0.8),)),
        Found("title alone", 0.7, "题", version=3),
        Found("text", 0.6, "题", "摘要", version=4),
    ]

    async def read() -> list[str]:
        return [one.text for one in await reader.with_texts(INDEX, given, Deadline.after(10))]

    async def twice() -> tuple[list[str], list[str]]:
        return await read(), await read()

    first, again = asyncio.run(twice())
    assert first[0].startswith("第0段")
    assert first[1].startswith(text[cut(text, overlap=30)[3].start :][:5].strip())
    assert first[2:] == ["", "摘要"]
    assert again == first
    assert len(server.asked) == 3
