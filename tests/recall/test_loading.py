"""Collections of the embedded engine are loaded once, however many ask whether recall is ready."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pymilvus.client.types import LoadState

from services.common.errors import IndexUnavailable
from services.common.milvus import MilvusConnection
from services.recall.milvus.loading import Loading

NAME = "notes__1"


class Engine:
    """An embedded engine with one collection on disk; each answer takes a turn of the loop."""

    def __init__(self) -> None:
        self.loads = 0
        self.loaded = False
        self.let_go = asyncio.Event()

    async def engine(self, _seconds: float) -> Any:
        return SimpleNamespace(embedded=True)

    async def names(self, _seconds: float) -> Any:
        return self

    async def all(self, there: Iterable[str]) -> dict[str, str]:
        return dict(zip(["notes"], there, strict=True))

    async def ask(self, what: str, call: Any, _seconds: float) -> Any:
        await asyncio.sleep(0)
        return await call(self)

    async def list_collections(self) -> list[str]:
        return [NAME]

    async def get_load_state(self, _name: str) -> dict[str, LoadState]:
        return {"state": LoadState.Loaded if self.loaded else LoadState.NotLoad}

    async def load_collection(self, _name: str) -> None:
        self.loads += 1
        await self.let_go.wait()
        self.loaded = True


async def test_checks_at_the_same_moment_load_once() -> None:
    engine = Engine()
    loading = Loading(cast("MilvusConnection", engine))
    checks = await asyncio.gather(*(loading.check(1) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in checks] == [IndexUnavailable] * 3
    await asyncio.sleep(0.01)
    assert engine.loads == 1
    with pytest.raises(IndexUnavailable):
        await loading.check(1)
    engine.let_go.set()
    await asyncio.sleep(0.01)
    await loading.check(1)
    assert engine.loads == 1
    await loading.aclose()
