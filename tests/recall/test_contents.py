"""Contents that are kept in memory, and reading ahead."""

import asyncio
from collections.abc import Sequence

from services.common.documents import Content
from services.common.errors import IndexUnavailable
from services.recall.contents import KeptContents, ReadAhead


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
    kept = KeptContents(most_characters=3_100)
    for number in range(3):
        kept.put(("c", f"d{number}", 1), _content(number, "文" * 800))
    assert kept.get(("c", "d0", 1))
    kept.put(("c", "d3", 1), _content(3, "文" * 800))
    assert [number for number in range(4) if kept.get(("c", f"d{number}", 1))] == [0, 2, 3]
