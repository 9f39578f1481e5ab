"""The words of an owner count from the switch of an index on, on every engine.

Milvus 2.3.5 has no BM25, so no search looks for words there: a hybrid search says so, and one by
words alone is refused. The words lie beside their index all the same, and cut queries for what hits
mark and for suggestions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.errors import Conflict
from services.common.milvus import MilvusAddress, MilvusConnection, milvus_connection
from services.common.request_context import Deadline
from services.common.text import Analyzers, WordAnalyzer
from services.common.wire.recall import Mode
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.rows import Vector, document_row
from services.recall.domain import Wanted
from services.recall.findings import Finder
from services.recall.legs.fusion import Fusion
from services.recall.milvus.index import MilvusDocumentIndex
from services.recall.query.analyzers import IndexAnalyzers
from services.recall.recalled import Recalled
from services.recall.recaller import Recaller
from tests.analyzers import ANALYZER
from tests.engines.rows import DIMENSION, unit
from tests.milvus import on_connection, on_index
from tests.servers import Server

NAME, WHOLE = "owned", "寻文系统"
OWN = WordAnalyzer([WHOLE])
BEFORE = PhysicalName(NAME, "e" * 16, ANALYZER.identity, 1)
AFTER = PhysicalName(NAME, "e" * 16, OWN.identity, 2)
DOCUMENTS = (
    Content(id="whole", title="寻文系统的部署"),
    Content(id="parts", title="寻文的系统，系统寻文"),
)

Answer = TypeVar("Answer")


class OneVector:
    """Encodes every query to the vector of the first document."""

    async def encode_query(self, fingerprint: str, query: str, deadline: Deadline) -> Vector:
        return np.asarray(unit(0))


@pytest.fixture
def rebuilt(engine: Server) -> Iterator[None]:
    """An index without words of the owner that answers, and one with them beside it."""

    async def fill(index: MilvusVectorIndex) -> None:
        for physical, analyzer in ((BEFORE, ANALYZER), (AFTER, OWN)):
            await index.create(physical, DIMENSION, 0, words=analyzer.user_words)
            rows = [document_row(one, unit(at), analyzer) for at, one in enumerate(DOCUMENTS)]
            await index.upsert(physical, rows, 1)
        await index.point(NAME, BEFORE)

    async def drop(index: MilvusVectorIndex) -> None:
        await index.unpoint(NAME)
        await index.drop(BEFORE)
        await index.drop(AFTER)

    on_index(engine.url, fill)
    yield
    on_index(engine.url, drop)

    async def names(connection: MilvusConnection) -> list[str]:
        return list(await connection.ask("list", lambda client: client.list_collections(), 30))

    left = [one for one in on_connection(engine.url, names) if one.startswith(f"{NAME}__")]
    assert left == [], "dictionaries go with their indexes"


def recalling(engine: Server, question: Callable[[Recaller], Awaitable[Answer]]) -> Answer:
    """The answer of a recall service that was just started, so that it knows no words."""

    async def ask() -> Answer:
        async with milvus_connection(MilvusAddress(engine.url)) as connection:
            index = MilvusDocumentIndex(connection, ef=64, nprobe=8)
            finder = Finder(index, OneVector(), IndexAnalyzers(Analyzers(), index))
            return await question(Recaller(finder, Fusion()))

    return asyncio.run(ask())


async def search(recaller: Recaller, mode: Mode = Mode.HYBRID) -> Recalled:
    return await recaller.search(
        WHOLE,
        NAME,
        Wanted(10, 10, texts=False),
        mode=mode,
        condition=None,
        deadline=Deadline.after(120),
    )


@pytest.mark.usefixtures("rebuilt")
def test_words_change_with_the_switch(engine: Server, embedded: bool) -> None:
    def switch(physical: PhysicalName) -> None:
        on_index(engine.url, lambda index: index.point(NAME, physical))

    async def before_and_after(recaller: Recaller) -> list[Recalled]:
        found = [await search(recaller)]
        for physical in (AFTER, BEFORE):
            await asyncio.to_thread(switch, physical)
            found.append(await search(recaller))
        return found

    for recalled, physical in zip(
        recalling(engine, before_and_after), (BEFORE, AFTER, BEFORE), strict=True
    ):
        assert recalled.index.physical == str(physical)
        assert recalled.index.analyzer == physical.analyzer
        assert (WHOLE in recalled.terms) is (physical == AFTER)
        assert recalled.degraded == ([] if embedded else ["lexical"])
    switch(AFTER)
    fresh = recalling(engine, search)
    assert WHOLE in fresh.terms, "a recall service that starts reads the words from the engine"


@pytest.mark.usefixtures("rebuilt")
def test_a_search_by_words_alone(engine: Server, embedded: bool) -> None:
    async def by_words(recaller: Recaller) -> list[str]:
        recalled = await search(recaller, Mode.LEXICAL)
        return [one.document.id for one in recalled.candidates]

    if not embedded:
        with pytest.raises(Conflict, match="Use mode dense"):
            recalling(engine, by_words)
        return
    assert recalling(engine, by_words) == ["parts", "whole"]
    on_index(engine.url, lambda index: index.point(NAME, AFTER))
    assert recalling(engine, by_words)[0] == "whole"
