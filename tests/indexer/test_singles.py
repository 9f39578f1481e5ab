"""A document is found while the embedded engine replaces its row, which it does in two steps."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.common.errors import DocumentNotFound
from services.indexer.singles import SingleDocuments

ROW: Any = SimpleNamespace(document=None)


class Index:
    """One row, which is away while a write holds the lock."""

    def __init__(self, lock: asyncio.Lock, rows: list[Any]) -> None:
        self.lock = lock
        self.rows = rows
        self.away = False

    async def documents(self, physical: str, ids: Sequence[str]) -> list[Any]:
        return [] if self.away else self.rows

    async def with_bodies(
        self, physical: str, rows: list[Any], *, vectors: bool
    ) -> AsyncIterator[list[Any]]:
        yield rows

    async def write(self) -> None:
        async with self.lock:
            self.away = True
            await asyncio.sleep(0.02)
            self.away = False


@pytest.mark.parametrize("rows", [[ROW], []])
async def test_a_read_beside_a_write(rows: list[Any]) -> None:
    state = SimpleNamespace(lock=asyncio.Lock())
    index = Index(state.lock, rows)

    async def live(name: str) -> Any:
        return SimpleNamespace(encoder="e")

    async def state_of(name: str) -> Any:
        return state

    collections = SimpleNamespace(live=live, state=state_of, index=index)
    singles = SingleDocuments(
        cast("Any", None), cast("Any", SimpleNamespace(collections=collections))
    )
    writing = asyncio.create_task(index.write())
    await asyncio.sleep(0)
    assert index.away
    if rows:
        assert await singles.stored("papers", "1") is ROW
    else:
        with pytest.raises(DocumentNotFound):
            await singles.stored("papers", "1")
    await writing
