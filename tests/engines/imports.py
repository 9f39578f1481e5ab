"""Imports, and the same input by upserts: jobs, and what they leave in Milvus."""

import json
from typing import Any

import httpx
import numpy as np

from services.common.collection import PassageKey, PhysicalName, passages_name
from services.common.model_dir import load_manifest
from tests.indexer.installation import Installation, literature
from tests.milvus import on_index, plain_client
from tests.models import DIMENSION

DOCUMENTS = 220
BODY = (
    "第一章 轨道\n\n"
    + "高速铁路的轨道需要检测。" * 80
    + "\n\n第二章 桥梁\n\n"
    + "桥梁会沉降。" * 90
)
FIELDS = {"year": {"type": "number"}, "journal": {"type": "keyword"}}
QUERIES = ("铁路轨道", "水稻种植", "企业改革", "桥梁沉降")


def shards(count: int = DOCUMENTS) -> list[dict[str, Any]]:
    """Documents with ready-made vectors, the first of which is replaced by the last; three have a
    body, and two a vector of a wrong length."""
    random = np.random.default_rng(3)
    lines = literature(count)
    for number, line in enumerate(lines):
        vector = random.standard_normal(DIMENSION)
        line |= {
            "vector": (vector / np.linalg.norm(vector)).tolist(),
            "journal": f"第{number % 7}刊",
        }
        if number % 80 == 5:
            line["body"] = BODY
    for wrong in (11, count - 11):
        lines[wrong]["vector"] = [1.0]
    return [*lines, lines[0] | {"title": "后来的题名"}]


def submit(running: Installation, collection: str, mode: str, **params: Any) -> str:
    return running.submit(
        collection,
        shards(),
        mode=mode,
        encoder=load_manifest(running.model).fingerprint,
        mapping=json.dumps({"vector": "vector"}),
        **params,
    )


def refused(answer: httpx.Response, status: int = 409) -> str:
    """The reason of a refusal."""
    assert answer.status_code == status, answer.text
    return str(answer.json()["detail"])


def live(running: Installation, collection: str) -> PhysicalName:
    physical = on_index(running.milvus.url, lambda index: index.resolve(collection))
    assert physical is not None
    return physical


def stored(running: Installation, name: str) -> dict[str, dict[str, Any]]:
    """All columns of all rows of a collection of Milvus, by id; versions are left out."""
    client = plain_client(running.milvus.url)
    try:
        rows = client.query(
            name,
            filter='id != ""',
            output_fields=["*"],
            limit=16_384,
            consistency_level="Strong",
        )
    finally:
        client.close()
    found = {}
    for row in rows:
        row = dict(row)
        row.pop("version", None)
        row["vector"] = [round(float(one), 5) for one in row["vector"]]
        if "document" in row:
            row["id"] = f"{row['document']}, passage {PassageKey.parse(row['id']).number}"
        found[row["id"]] = row
    assert len(found) == len(rows), "ids are there twice"
    return found


def answers(running: Installation, collection: str) -> list[Any]:
    """Ids and scores of searches with and without filters."""
    found = []
    for query in QUERIES:
        for condition in (None, {"year": {"gte": 2010}}, {"journal": "第3刊"}):
            body = {"query": query, "collection": collection, "top_n": 20, "filter": condition}
            answer = running.search.post("/search", json=body)
            assert answer.status_code == 200, answer.text
            hits = answer.json()["candidates"]
            found.append([(hit["id"], round(hit["dense"] or 0, 4)) for hit in hits])
    return found


def described(running: Installation, collection: str) -> tuple[int, Any]:
    """The number of documents, and the statistics of their fields."""
    count = running.client.get(f"/collections/{collection}").json()["count"]
    counted = running.client.get(f"/collections/{collection}/statistics").json()
    return count, [counted[name] for name in ("documents", "title", "text", "fields")]


def check_equal(running: Installation, key: str | None) -> str:
    """Loads the same input by upserts and by an import, compares what they leave, and returns the
    name of the imported collection."""
    names = [f"{mode}_{key or 'plain'}" for mode in ("upsert", "import")]
    jobs = []
    for name in names:
        made = {"name": name, "fields": FIELDS, "partition_key": key}
        assert running.client.post("/collections", json=made).status_code == 201
        job = submit(running, name, name.partition("_")[0])
        jobs.append(running.ended(job, 240))
        assert jobs[-1]["state"] == "succeeded_with_errors", jobs[-1]
        jobs[-1]["errors"] = running.errors(job)
    upserted, imported = jobs
    for same in ("counts", "message", "errors"):
        assert imported[same] == upserted[same]
    assert imported["counts"] == {
        "read": DOCUMENTS + 1,
        "indexed": DOCUMENTS - 2,
        "rejected": 2,
        "deduplicated": 1,
    }
    first, second = (live(running, name) for name in names)
    assert stored(running, str(first)) == stored(running, str(second))
    passages = stored(running, passages_name(second))
    assert len(passages) > 6
    assert passages == stored(running, passages_name(first))
    assert answers(running, names[0]) == answers(running, names[1])
    assert described(running, names[0]) == described(running, names[1])
    assert running.physicals(names[1]) == [str(second)], "the empty one before it is gone"
    return names[1]
