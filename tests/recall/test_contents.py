"""Contents that are kept in memory, and reading ahead."""

import asyncio
import tracemalloc
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from services.common.documents import Content
from services.common.errors import IndexUnavailable
from services.recall.milvus.contents import KeptContents, ReadAhead


def _content(number: int, text: str = "文") -> Content:
    return Content(id=f"d{number:03d}", title=f"题 {number}", text=text)


class _Collection:
    """Pages of three documents."""

    def __init__(self, kept: KeptContents, count: int, text: str = "文") -> None:
        self.kept, self.pages = kept, 0
        self.rows = [(1, _content(number, text)) for number in range(count)]

    async def page(self, behind: str) -> Sequence[tuple[int, Content]]:
        self.pages += 1
        rows = [row for row in self.rows if row[1].id > behind][:3]
        for version, content in rows:
            self.kept.put(("c", content.id, version), content)
        return rows


async def _read(ahead: ReadAhead) -> None:
    await asyncio.gather(*ahead._tasks)


async def test_a_miss_reads_a_small_collection_once() -> None:
    kept = KeptContents()
    ahead, small = ReadAhead(kept), _Collection(kept, 7)
    ahead.missed("c", small.page)
    ahead.missed("c", small.page)
    await _read(ahead)
    assert len(kept.of("c", [(content.id, 1) for _, content in small.rows])) == 7
    assert small.pages == 4  # of three documents at most, the last one empty
    ahead.missed("c", small.page)
    assert not ahead._tasks


async def test_no_more_is_read_than_half_of_the_memory_holds() -> None:
    kept = KeptContents(most_characters=20_000)
    ahead, large = ReadAhead(kept), _Collection(kept, 100, "文" * 800)
    ahead.missed("c", large.page)
    await _read(ahead)
    there = kept.of("c", [(content.id, 1) for _, content in large.rows])
    assert 9 <= len(there) <= 12
    ahead.missed("other", large.page)
    assert not ahead._tasks


RICH: dict[str, dict[str, Any]] = {
    "nothing": {},
    "chinese text": {"text": "水稻产量" * 50},
    "ascii text": {"text": "rice yield " * 200},
    "long texts": {"fields": {f"f{n}": "摘" * 1_300 for n in range(10)}},
    "many names": {"fields": {f"name_{n}": n + 0.5 for n in range(1_500)}},
    "long names": {"fields": {f"{n}" + "名" * 60: True for n in range(200)}},
    "lists": {"fields": {"references": ["r" * 60 for _ in range(300)]}},
    "short items": {"fields": {"keywords": ["水稻"] * 3_000}},
    "numbers": {"fields": {"years": list(range(1_000, 4_000))}},
    "wide": {"fields": {"emoji": "😀" * 5_000}},
    "body": {"body": "正文" * 5_000},
}


@pytest.mark.parametrize("members", RICH.values(), ids=RICH)
def test_the_memory_is_bounded_by_what_contents_really_take(members: dict[str, Any]) -> None:
    most = 1_000_000
    kept = KeptContents(most_characters=most)
    # Each row is read from the index, so that rows share no text.
    row = orjson.dumps({"title": "题", **members})
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        for number in range(20_000):
            kept.put(("c", f"d{number}", 1), Content(id=f"d{number}", **orjson.loads(row)))
            if ("c", "d0", 1) not in kept._kept:
                break
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert most < taken < 4 * most  # two bytes a character, within a factor of two


async def test_a_collection_that_answers_slowly_is_not_read_on() -> None:
    kept = KeptContents()
    ahead, large = ReadAhead(kept), _Collection(kept, 100)

    async def page(behind: str) -> Sequence[tuple[int, Content]]:
        await asyncio.sleep(0.3)
        return await large.page(behind)

    ahead.missed("c", page)
    await _read(ahead)
    assert large.pages == 1


async def test_an_index_that_fails_ends_the_reading_and_nothing_else() -> None:
    ahead = ReadAhead(KeptContents())

    async def page(behind: str) -> Sequence[tuple[int, Content]]:
        raise IndexUnavailable

    ahead.missed("c", page)
    await _read(ahead)


async def test_the_end_of_the_service_ends_the_reading() -> None:
    ahead = ReadAhead(KeptContents())

    async def page(behind: str) -> Sequence[tuple[int, Content]]:
        await asyncio.sleep(60)
        return []

    ahead.missed("c", page)
    await asyncio.sleep(0)
    await asyncio.wait_for(ahead.aclose(), 5)
    assert not ahead._tasks


def test_the_longest_unused_rows_are_dropped_first() -> None:
    kept = KeptContents(most_characters=3_700)
    for number in range(3):
        kept.put(("c", f"d{number}", 1), _content(number, "文" * 800))
    assert kept.get(("c", "d0", 1))
    kept.put(("c", "d3", 1), _content(3, "文" * 800))
    assert [number for number in range(4) if kept.get(("c", f"d{number}", 1))] == [0, 2, 3]
