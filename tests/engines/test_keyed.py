"""Rows are fetched by their keys alike from every engine, and as a query gives them."""

from typing import Any

import numpy as np
import pytest

from services.common.collection import Field, PhysicalName, document_id, passages_name
from services.common.documents import Content
from services.common.milvus.keyed import KeyedRows
from services.indexer.index.milvus.choice import IndexChoice, IndexKind
from services.indexer.index.milvus.index import MilvusVectorIndex
from services.indexer.passages import cut
from services.indexer.rows import Row
from tests.analyzers import ANALYZER
from tests.milvus import on_connection, on_index, plain_client
from tests.servers import Server

DIMENSION, DOCUMENTS = 8, 300
IDS = [*(f"d{number}" for number in range(DOCUMENTS)), "it's", '引"号', "反\\斜"]
COLUMNS = [Field.ID, Field.TITLE, Field.TEXT, Field.FIELDS, Field.VERSION]
SECONDS = 30.0


def filled(server: Server, physical: PhysicalName, choice: IndexChoice | None = None) -> None:
    """Writes the documents, one of them with a body; replaces some and deletes some."""
    chance = np.random.default_rng(1)

    def row(identity: str, title: str, body: str = "") -> Row:
        vector = chance.standard_normal(DIMENSION).astype(np.float32)
        fields = {"years": [1999, 2001], "name": "张三"}
        document = Content(id=identity, title=title, text="文", body=body, fields=fields)
        parts = cut(document, ANALYZER)
        return Row(
            document,
            title,
            vector / np.linalg.norm(vector),
            passages=parts.encoded([vector for _ in parts.spans]),
        )

    async def fill(index: MilvusVectorIndex) -> None:
        await index.create(physical, DIMENSION, DOCUMENTS)
        await index.upsert(physical, [row(one, f"题 {one}") for one in IDS], 1)
        await index.upsert(physical, [row(one, f"新 {one}") for one in IDS[:20]], 2)
        await index.upsert(physical, [row("d20", "新 d20", body="正文的第一句。")], 2)
        await index.delete(physical, ["d30", "d31"])

    on_index(server.url, fill, choice)


@pytest.mark.parametrize("kind", [IndexKind.AUTO, IndexKind.IVF_FLAT])
def test_rows_by_key_are_those_of_a_query(engine: Server, kind: IndexKind) -> None:
    physical = PhysicalName(f"keyed_{kind.lower()}", "0" * 16, "1", 1)
    filled(engine, physical, IndexChoice(kind))
    asked = [*IDS[15:40], *IDS[-3:], "nobody"]
    whole, some = on_connection(
        engine.url,
        lambda connection: _both(KeyedRows(connection), str(physical), asked),
    )
    client = plain_client(engine.url)
    queried = client.query(
        str(physical), filter="version > 0", output_fields=COLUMNS,
        limit=2 * DOCUMENTS, consistency_level="Strong",
    )  # fmt: skip
    client.close()
    expected = {document_id(row[Field.ID]): dict(row) for row in queried}
    there = [one for one in asked if one not in ("d30", "d31", "nobody")]
    assert {document_id(row[Field.ID]): row for row in whole} == {
        one: expected[one] for one in there
    }
    assert len(whole) == len(there)
    assert {document_id(row[Field.ID]) for row in some} == {f"d{one}" for one in range(15, 21)}


async def _both(
    keyed: KeyedRows, name: str, asked: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All columns of the rows, and the rows of those that were replaced."""
    strong = {"consistency_level": "Strong"}
    whole = await keyed.rows(name, asked, COLUMNS, SECONDS, **strong)
    some = await keyed.rows(name, asked, [Field.ID], SECONDS, "version == 2", **strong)
    return whole, some


def test_vectors_come_too_and_passages_by_their_keys(lite: Server) -> None:
    physical = PhysicalName("keyed_passages", "0" * 16, "1", 1)
    filled(lite, physical)
    client = plain_client(lite.url)
    [passage] = client.query(passages_name(physical), filter="number == 0", output_fields=["id"])
    client.close()

    async def fetch(keyed: KeyedRows) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return (
            await keyed.rows(str(physical), ["d1"], [Field.ID, Field.VECTOR], SECONDS),
            await keyed.rows(passages_name(physical), [passage["id"]], [Field.TEXT], SECONDS),
        )

    [row], [found] = on_connection(lite.url, lambda connection: fetch(KeyedRows(connection)))
    assert len(row[Field.VECTOR]) == DIMENSION
    assert found[Field.TEXT] == "正文的第一句。"
