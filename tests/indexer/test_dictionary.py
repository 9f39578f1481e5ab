"""A user dictionary: its words are whole when they are indexed and when they are asked for."""

from collections.abc import Iterator

import pytest

from services.common.collection import PhysicalName
from services.common.text import WordAnalyzer
from tests.indexer.installation import Installation, eventually

TEXTS = [
    {"id": "whole", "title": "寻文系统的部署"},
    {"id": "parts", "title": "寻文的系统，系统寻文"},
]


def put(indexer: Installation, collection: str, identity: str, title: str) -> None:
    path = f"/collections/{collection}/documents/{identity}"
    indexer.client.put(path, json={"title": title}).raise_for_status()


def rebuild(indexer: Installation, collection: str) -> None:
    rebuilt = indexer.client.post(f"/collections/{collection}:rebuild")
    assert rebuilt.status_code == 202, rebuilt.text
    assert indexer.ended(rebuilt.json()["job_id"])["state"] == "succeeded"


def analysis(indexer: Installation, collection: str) -> str:
    """Identity of the word analysis of the index that answers."""
    physical = PhysicalName.parse(indexer.client.get(f"/collections/{collection}").json()["index"])
    assert physical is not None
    return physical.analyzer


def restarted(indexer: Installation) -> None:
    indexer.restart_with_settings(indexer.api, indexer.worker, indexer.recall)


@pytest.fixture
def trade(indexer: Installation) -> Iterator[str]:
    """A collection with a dictionary, which is gone afterwards."""
    dictionary = indexer.dictionaries / "trade.txt"
    dictionary.write_text("寻文系统 5 n\n", encoding="utf-8")
    restarted(indexer)
    yield "trade"
    dictionary.unlink()
    restarted(indexer)


def test_from_the_first_document_to_another_dictionary(indexer: Installation, trade: str) -> None:
    for collection in (trade, "plain"):
        job = indexer.ended(indexer.submit(collection, TEXTS[:1]))
        assert job["state"] == "succeeded"
        path = f"/collections/{collection}/documents/{TEXTS[1]['id']}"
        indexer.client.put(path, json={"title": TEXTS[1]["title"]}).raise_for_status()
    assert indexer.found(trade, "寻文系统", "lexical") == ["whole", "parts"]
    assert indexer.found("plain", "寻文系统", "lexical") == ["parts", "whole"]

    dictionary = indexer.dictionaries / f"{trade}.txt"
    dictionary.write_text("寻文系统\n部署\n引力波\n", encoding="utf-8")
    restarted(indexer)
    put(indexer, trade, "x", "系统的寻文")
    assert indexer.client.get(f"/collections/{trade}/dictionary").json()["waiting"]
    assert analysis(indexer, trade) == WordAnalyzer(["寻文系统"]).identity
    assert indexer.found(trade, "寻文系统", "lexical")[0] == "whole"
    rebuild(indexer, trade)
    assert analysis(indexer, trade) == WordAnalyzer(["寻文系统", "部署", "引力波"]).identity
    assert indexer.found(trade, "寻文系统", "lexical")[0] == "whole"
    body = {"query": "寻文系统", "collection": trade, "top_n": 10}
    assert indexer.search.post("/search", json=body).json()["degraded"] == []


@pytest.fixture
def owned(indexer: Installation) -> Iterator[str]:
    """A collection that its owner gives words."""
    yield "owned"
    indexer.client.delete("/collections/owned")


def test_words_of_the_owner_count_from_the_switch_on(indexer: Installation, owned: str) -> None:
    for text in TEXTS:
        put(indexer, owned, text["id"], text["title"])
    assert indexer.found(owned, "寻文系统", "lexical") == ["parts", "whole"]
    given = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": ["寻文系统"]})
    assert given.json() == {"words": 1, "waiting": True}
    put(indexer, owned, "more", "部署寻文系统")
    assert indexer.found(owned, "寻文系统", "lexical")[0] == "parts"
    plain, own = WordAnalyzer().identity, WordAnalyzer(["寻文系统"]).identity
    assert analysis(indexer, owned) == plain

    rebuild(indexer, owned)
    assert analysis(indexer, owned) == own
    assert set(indexer.found(owned, "寻文系统", "lexical")[:2]) == {"whole", "more"}
    indexer.restart_with_settings(indexer.api, indexer.worker, indexer.recall)
    put(indexer, owned, "last", "寻文系统")
    job = indexer.submit(owned, [{"id": "bulk", "title": "寻文系统的寻文系统"}])
    assert indexer.ended(job)["state"] == "succeeded"
    assert set(indexer.found(owned, "寻文系统", "lexical")[:4]) == {"whole", "more", "last", "bulk"}
    stored = indexer.client.get(f"/collections/{owned}/dictionary").json()
    assert stored == {"words": ["寻文系统"], "waiting": False}

    indexer.client.post(f"/collections/{owned}:rollback").raise_for_status()
    assert analysis(indexer, owned) == plain
    assert indexer.found(owned, "寻文系统", "lexical")[0] == "parts"
    assert indexer.client.get(f"/collections/{owned}/dictionary").json()["waiting"]
    given = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": []})
    assert given.json() == {"words": 0, "waiting": False}


def test_a_document_that_is_written_beside_a_rebuild_is_cut_for_both(
    indexer: Installation, owned: str
) -> None:
    lines = [{"id": f"d{n}", "title": f"第{n}篇讲系统"} for n in range(400)]
    assert indexer.ended(indexer.submit(owned, lines))["state"] == "succeeded"
    indexer.client.put(f"/collections/{owned}/dictionary", json={"words": ["寻文系统"]})
    indexer.worker.stop()
    job = indexer.client.post(f"/collections/{owned}:rebuild").json()["job_id"]
    eventually(lambda: len(indexer.physicals(owned)) == 2)
    put(indexer, owned, "beside", "寻文系统")
    assert indexer.found(owned, "寻文", "lexical") == ["beside"]
    indexer.worker.start()
    assert indexer.ended(job)["state"] == "succeeded"
    assert indexer.found(owned, "寻文系统", "lexical")[0] == "beside"
    words = [name for name in indexer.collections_of_milvus() if name.endswith("__w")]
    assert any(name.startswith(f"{owned}__") for name in words)
    indexer.client.delete(f"/collections/{owned}").raise_for_status()
    left = [name for name in indexer.collections_of_milvus() if name.startswith(f"{owned}__")]
    assert left == []


def test_an_empty_collection_takes_its_words_at_once(indexer: Installation, owned: str) -> None:
    indexer.client.post("/collections", json={"name": owned}).raise_for_status()
    given = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": ["寻文系统"]})
    assert given.json() == {"words": 1, "waiting": False}
    put(indexer, owned, "parts", TEXTS[1]["title"])
    put(indexer, owned, "whole", TEXTS[0]["title"])
    assert indexer.found(owned, "寻文系统", "lexical") == ["whole", "parts"]


@pytest.mark.parametrize(
    ("words", "says"),
    [(["a b"], "pattern"), ([""], "at least 1"), (["。。"], "no letter"), (["长" * 65], "64")],
)
def test_words_that_no_text_has_are_refused(
    indexer: Installation, owned: str, words: list[str], says: str
) -> None:
    indexer.client.post("/collections", json={"name": owned}).raise_for_status()
    refused = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": words})
    assert refused.status_code == 422
    assert says in refused.text
    missing = indexer.client.put("/collections/no_such/dictionary", json={"words": ["词"]})
    assert missing.status_code == 404


def test_a_bad_dictionary_stops_the_start_with_one_line(indexer: Installation) -> None:
    bad = indexer.dictionaries / "bad.txt"
    bad.write_bytes("词".encode("gb18030"))
    try:
        indexer.recall.stop()
        indexer.recall.start()
        process = indexer.recall.process
        assert process is not None
        assert process.wait(120) == 1
        last = (indexer.folder / "recall.log").read_text(encoding="utf-8").splitlines()[-1]
        assert last == "recall: bad.txt is no file of words in UTF-8"
    finally:
        bad.unlink()
        indexer.restart_with_settings(indexer.recall)
