"""What the clients send, when they send it again, and how they read the answer."""

import gzip
import json
from pathlib import Path

import pytest

from tests.client.conftest import Do
from tests.client.scripted import ANSWER, ScriptedGateway, job, problem
from xunwen import ApiError, Client, ConnectionFailed, Document, XunwenError
from xunwen.client.retries import Retries


def test_search_sends_only_what_was_given(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, ANSWER)
    answer = do("search", "语言", top_k=3, filter={"discipline": "数学"})
    assert gateway.asked[0].json == {"query": "语言", "top_k": 3, "filter": {"discipline": "数学"}}
    assert gateway.asked[0].headers["authorization"] == "Bearer secret"
    assert (answer.hits[0].title, answer.stages[0].took_ms) == ("标题", 1.5)


def test_unavailable_is_tried_again_and_then_stands(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, problem(503, "overloaded", "Too much load."))
    gateway.answer(429, problem(429, "rate_limited", "Slowly."), retry_after="0")
    gateway.answer(200, ANSWER)
    assert do("search", "a").took_ms == 3.0
    assert len(gateway.asked) == 3

    gateway.script[:] = [(503, problem(503, "overloaded", "Too much load."), {})]
    with pytest.raises(ApiError, match="Too much load") as caught:
        do("search", "a")
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (
        503,
        "overloaded",
        "r1",
    )
    assert len(gateway.asked) == 6


def test_a_long_pause_is_not_waited_for(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, problem(503, "unavailable", "Later."), retry_after="3600")
    with pytest.raises(ApiError):
        do("search", "a")
    assert len(gateway.asked) == 1


def test_what_may_not_be_repeated_is_sent_once(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, problem(503, "unavailable", "Later."))
    with pytest.raises(ApiError):
        do("rebuild", "notes")
    assert len(gateway.asked) == 1


def test_client_errors_are_not_tried_again(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(422, problem(422, "invalid_request", "top_k: at most 100"))
    with pytest.raises(ApiError, match="at most 100"):
        do("search", "a", top_k=10**9)
    assert len(gateway.asked) == 1


def test_somebody_else_at_the_address(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(404, b"<html>nginx</html>")
    with pytest.raises(ApiError, match="not as Xunwen answers"):
        do("search", "a")
    gateway.script[:] = [(200, {"hello": "world"}, {})]
    with pytest.raises(XunwenError, match="same version"):
        do("search", "a")


def test_nobody_at_the_address() -> None:
    nobody = Client("http://127.0.0.1:1", retries=Retries(attempts=2, first_seconds=0.001))
    with nobody, pytest.raises(ConnectionFailed, match="xunwen up"):
        nobody.collections()


def test_documents_are_submitted_once_however_often_sent(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, problem(503, "queue_unavailable", "Later."))
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    documents = ({"id": str(number), "title": f"标题{number}"} for number in range(2))
    assert do("index", documents, collection="notes").id == "j1"
    first, second, third = gateway.asked
    assert first.path == "/v1/index-jobs?collection=notes&mode=upsert&format=jsonl"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    assert [json.loads(line)["id"] for line in first.body.splitlines()] == ["0", "1"]
    assert (third.method, third.path) == ("GET", "/v1/index-jobs/j1")


def test_a_gzipped_file_is_sent_as_it_is(gateway: ScriptedGateway, do: Do, tmp_path: Path) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"id,title\n1,a\n"))
    do("index", file, collection="notes", idempotency_key="mine")
    sent = gateway.asked[0]
    assert sent.body == file.read_bytes()
    assert (sent.headers["content-encoding"], sent.headers["idempotency-key"]) == ("gzip", "mine")
    assert "format=csv" in sent.path


def test_files_that_cannot_be_sent(gateway: ScriptedGateway, do: Do, tmp_path: Path) -> None:
    with pytest.raises(XunwenError, match="does not say its format"):
        do("index", tmp_path / "a.docx", collection="notes")
    with pytest.raises(XunwenError, match="cannot be read"):
        do("index", tmp_path / "a.csv", collection="notes")
    assert gateway.asked == []


def test_watch_follows_the_events_and_survives_a_broken_stream(
    gateway: ScriptedGateway, do: Do
) -> None:
    def events(*jobs: dict[str, object]) -> bytes:
        told = [f"event: progress\ndata: {json.dumps(told)}\n\n" for told in jobs]
        return ": still there\n\n".join(told).encode()

    gateway.answer(200, job("queued"))
    gateway.answer(200, events(job("queued"), job("running", 1)))
    gateway.answer(200, job("running", 1))
    gateway.answer(200, events(job("succeeded", 2)))
    seen = [(item.state.value, item.counts.indexed) for item in do("watch", "j1")]
    assert seen[0] == ("queued", 0)
    assert ("running", 1) in seen
    assert seen[-1] == ("succeeded", 2)
    assert [asked.path.rpartition("/")[2] for asked in gateway.asked] == [
        *("j1", "events"),
        *("j1", "events"),
    ]


def test_jobs_are_iterated_over_pages(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, {"jobs": [job("succeeded", job_id="b")], "next": "b"})
    gateway.answer(200, {"jobs": [job("succeeded", job_id="a")], "next": None})
    assert [item.id for item in do("jobs")] == ["b", "a"]
    assert gateway.asked[1].path == "/v1/index-jobs?after=b"


def test_a_document_id_is_quoted_into_the_path(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, {"id": "a/b ?", "collection": "notes", "index_version": "1"})
    do("put", Document(id="a/b ?", title="标题"), collection="notes")
    assert gateway.asked[0].path == "/v1/collections/notes/documents/a%2Fb%20%3F"
    assert gateway.asked[0].json == {"title": "标题", "text": "", "fields": {}}


def test_readiness_that_is_not_ready_is_an_answer(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, {"ready": False, "checks": {"rank": {"ok": False, "detail": "away"}}})
    readiness = do("readiness")
    assert not readiness.ready
    assert readiness.checks["rank"].detail == "away"
