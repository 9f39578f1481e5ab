"""A user dictionary: its words are whole when they are indexed and when they are asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.collection import PhysicalName
from services.common.text import WordAnalyzer
from tests.indexer.installation import TRADE, Installation, Program
from tests.waiting import eventually

TEXTS = [
    {"id": "whole", "title": "寻文系统的部署"},
    {"id": "parts", "title": "寻文的系统，系统寻文"},
]


def put(indexer: Installation, collection: str, identity: str, title: str) -> None:
    path = f"/collections/{collection}/documents/{identity}"
    indexer.client.put(path, json={"title": title}).raise_for_status()


def rebuild(indexer: Installation, collection: str) -> None:
    indexer.succeeded(indexer.rebuild(collection))


def analysis(indexer: Installation, collection: str) -> str:
    """Identity of the word analysis of the index that answers."""
    physical = PhysicalName.parse(indexer.client.get(f"/collections/{collection}").json()["index"])
    assert physical is not None
    return physical.analyzer


@pytest.fixture
def owned(indexer: Installation) -> Iterator[str]:
    """A collection that its owner gives words."""
    yield "owned"
    indexer.client.delete("/collections/owned")


def fill_with_words_of_a_file(indexer: Installation) -> None:
    for collection in (TRADE, "plain"):
        indexer.succeeded(indexer.submit(collection, TEXTS[:1]))
        put(indexer, collection, TEXTS[1]["id"], TEXTS[1]["title"])
    assert indexer.found(TRADE, "寻文系统", "lexical") == ["whole", "parts"]
    assert indexer.found("plain", "寻文系统", "lexical") == ["parts", "whole"]


def check_added_words_of_a_file(indexer: Installation) -> None:
    """They count from a rebuild on."""
    put(indexer, TRADE, "x", "系统的寻文")
    assert indexer.client.get(f"/collections/{TRADE}/dictionary").json()["waiting"]
    assert analysis(indexer, TRADE) == WordAnalyzer(["寻文系统"]).identity
    assert indexer.found(TRADE, "寻文系统", "lexical")[0] == "whole"
    rebuild(indexer, TRADE)
    assert analysis(indexer, TRADE) == WordAnalyzer(["寻文系统", "部署", "引力波"]).identity
    assert indexer.found(TRADE, "寻文系统", "lexical")[0] == "whole"
    body = {"query": "寻文系统", "collection": TRADE, "top_n": 10}
    assert indexer.search.post("/search", json=body).json()["degraded"] == []


def give_words_and_rebuild(indexer: Installation, owned: str) -> None:
    for text in TEXTS:
        put(indexer, owned, text["id"], text["title"])
    assert indexer.found(owned, "寻文系统", "lexical") == ["parts", "whole"]
    given = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": ["寻文系统"]})
    assert given.json() == {"words": 1, "waiting": True}
    put(indexer, owned, "more", "部署寻文系统")
    assert indexer.found(owned, "寻文系统", "lexical")[0] == "parts"
    assert analysis(indexer, owned) == WordAnalyzer().identity
    rebuild(indexer, owned)
    assert analysis(indexer, owned) == WordAnalyzer(["寻文系统"]).identity
    assert set(indexer.found(owned, "寻文系统", "lexical")[:2]) == {"whole", "more"}


def check_given_words(indexer: Installation, owned: str) -> None:
    """They are still there; a rollback takes the words of the index before."""
    put(indexer, owned, "last", "寻文系统")
    job = indexer.submit(owned, [{"id": "bulk", "title": "寻文系统的寻文系统"}])
    indexer.succeeded(job)
    assert set(indexer.found(owned, "寻文系统", "lexical")[:4]) == {"whole", "more", "last", "bulk"}
    stored = indexer.client.get(f"/collections/{owned}/dictionary").json()
    assert stored == {"words": ["寻文系统"], "waiting": False}

    indexer.client.post(f"/collections/{owned}:rollback").raise_for_status()
    assert analysis(indexer, owned) == WordAnalyzer().identity
    assert indexer.found(owned, "寻文系统", "lexical")[0] == "parts"
    assert indexer.client.get(f"/collections/{owned}/dictionary").json()["waiting"]
    given = indexer.client.put(f"/collections/{owned}/dictionary", json={"words": []})
    assert given.json() == {"words": 0, "waiting": False}


def test_words_of_a_file_and_of_an_owner_over_a_restart(indexer: Installation, owned: str) -> None:
    fill_with_words_of_a_file(indexer)
    give_words_and_rebuild(indexer, owned)
    dictionary = indexer.dictionaries / f"{TRADE}.txt"
    dictionary.write_text("寻文系统\n部署\n引力波\n", encoding="utf-8")
    indexer.restart_with_settings(indexer.api, indexer.worker, indexer.recall)
    check_added_words_of_a_file(indexer)
    check_given_words(indexer, owned)


def test_a_document_that_is_written_beside_a_rebuild_is_cut_for_both(
    indexer: Installation, owned: str
) -> None:
    lines = [{"id": f"d{n}", "title": f"第{n}篇讲系统"} for n in range(400)]
    indexer.succeeded(indexer.submit(owned, lines))
    indexer.client.put(f"/collections/{owned}/dictionary", json={"words": ["寻文系统"]})
    indexer.worker.stop()
    job = indexer.rebuild(owned)
    eventually(lambda: len(indexer.physicals(owned)) == 2)
    put(indexer, owned, "beside", "寻文系统")
    assert indexer.found(owned, "寻文", "lexical") == ["beside"]
    indexer.worker.start()
    indexer.succeeded(job)
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
    [
        (["a b"], "without white space"),
        ([""], "at least 1"),
        (["。。"], "no letter"),
        (["长" * 65], "64"),
    ],
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


def test_a_bad_dictionary_stops_the_start_with_one_line(
    indexer: Installation, tmp_path: Path
) -> None:
    (tmp_path / "bad.txt").write_bytes("词".encode("gb18030"))
    env = indexer.env | {"XUNWEN_RECALL_DICTIONARIES": str(tmp_path)}
    log = tmp_path / "recall.log"
    recall = Program("services.recall", env, log)
    recall.start()
    assert recall.process is not None
    assert recall.process.wait(120) == 1
    assert log.read_text(encoding="utf-8") == "recall: bad.txt is no file of words in UTF-8\n"
