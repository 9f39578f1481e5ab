"""A user dictionary: its words are whole when they are indexed and when they are asked for."""

from collections.abc import Iterator

import pytest

from tests.indexer.installation import Installation

TEXTS = [
    {"id": "whole", "title": "寻文系统的部署"},
    {"id": "parts", "title": "寻文的系统，系统寻文"},
]


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
    refused = indexer.client.put(f"/collections/{trade}/documents/x", json={"title": "引力波"})
    assert refused.status_code == 409
    assert "user dictionary" in refused.json()["detail"]
    body = {"query": "寻文系统", "collection": trade, "top_n": 10}
    assert indexer.search.post("/search", json=body).json()["degraded"] == ["lexical"]
    rebuilt = indexer.client.post(f"/collections/{trade}:rebuild")
    assert rebuilt.status_code == 202, rebuilt.text
    assert indexer.ended(rebuilt.json()["job_id"])["state"] == "succeeded"
    assert indexer.found(trade, "寻文系统", "lexical") == ["whole", "parts"]
    assert indexer.search.post("/search", json=body).json()["degraded"] == []


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
