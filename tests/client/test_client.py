"""What the clients send, when they send it again, and how they read the answer."""

import asyncio
import errno
import gzip
import json
import os
import resource
import tempfile
import threading
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, quote, unquote
from zipfile import ZipFile

import pytest

from services.common.wire.contents import StoredDocument
from tests.client.conftest import Do
from tests.client.scripted import ANSWER, ScriptedGateway, job, problem
from tests.ids import NASTY, REFUSED
from xunwen import ApiError, AsyncClient, Client, ConnectionFailed, Document, XunwenError
from xunwen.client import NOT_GIVEN, JobState, exchange
from xunwen.client.bundles import bundle
from xunwen.client.retries import Retries
from xunwen.client.uploads import Upload


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
    file.write_bytes(gzip.compress(b"id,title\n1,a\n", mtime=0))
    do("index", file, collection="notes", idempotency_key="mine")
    sent = gateway.asked[0]
    assert sent.body == file.read_bytes()
    assert (sent.headers["content-encoding"], sent.headers["idempotency-key"]) == ("gzip", "mine")
    assert "format=csv" in sent.path


def test_several_files_and_folders_are_sent_as_a_zip(
    gateway: ScriptedGateway, do: Do, tmp_path: Path
) -> None:
    """Under their paths below the folder that they share; hidden files are left out."""
    (tmp_path / "2024").mkdir()
    for name in ("a.pdf", "2024/b.md", "photo.png", ".hidden.md"):
        (tmp_path / name).write_text(name)
    for given, names in (
        ([tmp_path / "a.pdf", tmp_path / "2024"], ["a.pdf", "2024/b.md"]),
        (tmp_path, ["a.pdf", "photo.png", "2024/b.md"]),
        ([str(tmp_path / "2024/b.md")], ["b.md"]),
    ):
        gateway.asked.clear()
        gateway.script.clear()
        gateway.answer(202, {"job_id": "j1", "state": "queued"})
        gateway.answer(200, job("queued"))
        do("index", given, collection="notes")
        assert "format=zip" in gateway.asked[0].path
        with ZipFile(BytesIO(gateway.asked[0].body)) as archive:
            assert archive.namelist() == names
            sent = {name: archive.read(name).decode() for name in names}
        assert all(text == name or text.endswith(name) for name, text in sent.items() if text)
        assert sent.get("photo.png", "") == "", "a file of no known format is named and not sent"
    with pytest.raises(XunwenError, match="cannot be read: No such file"):
        do("index", [tmp_path / "a.pdf", tmp_path / "none.pdf"], collection="notes")


async def test_a_folder_is_packed_beside_the_other_tasks_of_a_loop(
    gateway: ScriptedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("# 题")
    others_run = threading.Event()

    def packs(sink: IO[bytes], paths: Sequence[Path]) -> None:
        assert others_run.wait(10), "the loop stands still while a folder is packed"
        bundle(sink, paths)

    monkeypatch.setattr("xunwen.client.uploads.bundle", packs)
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    async with AsyncClient(gateway.url) as client:
        asyncio.get_running_loop().call_later(0.05, others_run.set)
        await client.index(tmp_path, collection="notes")
    with ZipFile(BytesIO(gateway.asked[0].body)) as archive:
        assert archive.namelist() == ["a.md"]


def test_a_linked_folder_is_sent_and_no_folder_twice(
    gateway: ScriptedGateway, do: Do, tmp_path: Path
) -> None:
    """As on a disk of a larger machine; links that lead back would never end."""
    papers, disk = tmp_path / "papers", tmp_path / "disk"
    for name in ("papers/z/a.md", "disk/b.md", "disk/deep/c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("# 题")
    (papers / "linked").symlink_to(disk)
    (papers / "again").symlink_to(papers / "z")
    (papers / "twice").symlink_to(disk / "deep")
    (disk / "back").symlink_to(papers)
    (disk / "round").symlink_to(disk)
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    do("index", papers, collection="notes")
    with ZipFile(BytesIO(gateway.asked[0].body)) as archive:
        assert archive.namelist() == ["linked/b.md", "twice/c.md", "z/a.md"]


def test_a_paper_is_sent_with_its_name(gateway: ScriptedGateway, do: Do, tmp_path: Path) -> None:
    file = tmp_path / "论文.pdf"
    file.write_bytes(b"%PDF")
    for options, name in (({}, "论文.pdf"), ({"name": "p1"}, "p1")):
        gateway.asked.clear()
        gateway.script.clear()
        gateway.answer(202, {"job_id": "j1", "state": "queued"})
        gateway.answer(200, job("queued"))
        do("index", file, collection="notes", **options)
        assert f"name={quote(name)}" in gateway.asked[0].path
        assert "format=pdf" in gateway.asked[0].path


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_names_in_the_charset_of_chinese_windows_are_read(
    charset: str, gateway: ScriptedGateway, do: Do, tmp_path: Path
) -> None:
    """A zip that was unpacked on Linux leaves such names."""
    folder = os.fsencode(tmp_path)
    names = {os.fsdecode(each.encode(charset)): each for each in ("论文.md", "水稻 二.md")}
    for name in names:
        Path(os.fsdecode(folder), name).write_text("# 题", "utf-8")
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    do("index", tmp_path, collection="notes")
    with ZipFile(BytesIO(gateway.asked[0].body)) as sent:
        assert sorted(sent.namelist()) == sorted(names.values())
    gateway.asked.clear()
    gateway.script.clear()
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    do("index", tmp_path / next(iter(names)), collection="notes")
    assert f"name={quote('论文.md')}" in gateway.asked[0].path


def test_files_that_cannot_be_sent(gateway: ScriptedGateway, do: Do, tmp_path: Path) -> None:
    with pytest.raises(XunwenError, match="does not say its format"):
        do("index", tmp_path / "a.pptx", collection="notes")
    with pytest.raises(XunwenError, match="cannot be read"):
        do("index", tmp_path / "a.csv", collection="notes")
    with pytest.raises(XunwenError, match="zero character"):
        do("index", "a\0.csv", collection="notes")
    given: Any
    for given in ("", [""], [tmp_path / "a.csv", ""]):
        with pytest.raises(XunwenError, match="name of a file is empty"):
            do("index", given, collection="notes")
    # Nobody can tell what it is, as within a folder that others may not read.
    unknown = tmp_path / ("名" * 100 + ".csv")
    for given in (unknown, str(unknown), [unknown], [tmp_path, unknown]):
        with pytest.raises(XunwenError, match="csv cannot be read: File name too long"):
            do("index", given, collection="notes")
    os.mkfifo(tmp_path / "pipe.csv")
    writer = os.open(tmp_path / "pipe.csv", os.O_RDWR | os.O_NONBLOCK)
    for given in (tmp_path / "pipe.csv", tmp_path):
        with pytest.raises(XunwenError, match=r"pipe.csv is no file that can be sent"):
            do("index", given, collection="notes")
    os.close(writer)
    assert gateway.asked == []


@pytest.mark.parametrize("extra", [b'{"id": "2", "title": "b"}\n', b""])
def test_a_file_that_is_written_to_while_it_is_sent(
    extra: bytes, gateway: ScriptedGateway, do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that grows is sent as it was at first; one that shrinks is told as not whole."""
    file = tmp_path / "a.jsonl"
    first = b'{"id": "1", "title": "a"}\n' * 1_000
    file.write_bytes(first)
    headers = Upload.headers

    def headers_then_write(upload: Upload, key: str | None) -> dict[str, str]:
        file.write_bytes(first + extra if extra else first[:100])
        return headers(upload, key)

    monkeypatch.setattr(Upload, "headers", headers_then_write)
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    if extra:
        do("index", file, collection="notes")
        assert gateway.asked[0].body == first
    else:
        with pytest.raises(XunwenError, match="became shorter while it was sent"):
            do("index", file, collection="notes")


@pytest.mark.parametrize("given", ["documents", "folder"])
def test_a_full_folder_of_temporary_files_is_named(
    given: str, gateway: ScriptedGateway, do: Do, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("题" * 200_000, "utf-8")
    documents = ({"id": str(number), "title": "题" * 1_000} for number in range(1_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(XunwenError, match=f"in {tempfile.gettempdir()}: .* TMPDIR"):
            do("index", tmp_path if given == "folder" else documents, collection="notes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert gateway.asked == []


def test_a_folder_that_cannot_be_read_is_not_left_out(
    gateway: ScriptedGateway, do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("# a")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # The superuser may read every folder.
    with pytest.raises(XunwenError, match="closed cannot be read: Permission denied"):
        do("index", tmp_path, collection="notes")
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("method", "arguments", "options"),
    [
        ("export", ["notes"], {"format": "csv"}),
        ("export", ["notes"], {"filter": {"year": float("nan")}}),
        ("export", ["notes"], {"filter": {"year": object()}}),
        ("export", ["notes"], {"filter": "year"}),
        ("documents", [], {"collection": "notes", "filter": {"year": float("inf")}}),
        ("documents", [], {"collection": "notes", "filter": {"year": {1, 2}}}),
        ("documents", [], {"collection": "notes", "fields": ["x"] * 500}),
        ("documents", [], {"collection": "notes", "fields": ["a", "-b"]}),
        ("rebuild", ["notes"], {"encoder": "x" * 100}),
        ("jobs", [], {"state": "done"}),
    ],
)
def test_options_that_cannot_be_are_the_clients_error(
    method: str, arguments: list[Any], options: dict[str, Any], gateway: ScriptedGateway, do: Do
) -> None:
    with pytest.raises(XunwenError):
        do(method, *arguments, **options)
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
    assert seen == [("queued", 0), ("running", 1), ("succeeded", 2)]
    assert [asked.path.rpartition("/")[2] for asked in gateway.asked] == [
        *("j1", "events"),
        *("j1", "events"),
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0c", "\x1e"])
def test_only_a_line_feed_ends_a_line(sign: str, gateway: ScriptedGateway, do: Do) -> None:
    reason = f"fields.a: `甲{sign}乙` is too long"
    told = {**job("failed"), "message": reason}
    answers = (
        [{"line": 1, "reason": reason}, {"line": 2, "reason": "no id"}],
        [job("running"), told],
    )
    rejected, events = ([json.dumps(one, ensure_ascii=False) for one in each] for each in answers)
    gateway.answer(200, "\n".join(rejected).encode())
    assert [line.reason for line in do("errors", "j1")] == [reason, "no id"]
    gateway.script.clear()
    gateway.answer(200, job("queued"))
    gateway.answer(200, "".join(f"data: {line}\n\n" for line in events).encode())
    assert do("wait", "j1").message == reason


def test_watch_asks_for_the_state_where_no_more_jobs_can_be_followed(
    gateway: ScriptedGateway, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "CROWDED_SECONDS", 0.01)
    gateway.answer(200, job("running"))
    gateway.answer(503, problem(503, "overloaded", "End one of them."), retry_after="5")
    gateway.answer(200, job("running", 1))
    gateway.answer(503, problem(503, "overloaded", "End one of them."), retry_after="5")
    gateway.answer(200, job("succeeded", 2))
    assert [item.counts.indexed for item in do("watch", "j1")] == [0, 1, 2]


def test_watch_tells_another_refusal_of_the_events(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, job("running"))
    gateway.answer(403, problem(403, "forbidden", "This key may not."))
    with pytest.raises(ApiError, match="This key may not"):
        do("watch", "j1")


def test_watch_waits_for_a_gateway_that_is_started_again(
    gateway: ScriptedGateway, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway behind a proxy is 502 or 503 meanwhile, of the proxy's own form."""
    monkeypatch.setattr(exchange, "PAUSE_SECONDS", 0.01)
    gateway.answer(200, job("running"))
    for _ in range(8):
        gateway.answer(502, b"<html>Bad Gateway</html>")
    gateway.answer(200, job("running", 1))
    gateway.answer(200, f"data: {json.dumps(job('succeeded', 2))}\n\n".encode())
    assert [item.counts.indexed for item in do("watch", "j1")] == [0, 1, 2]


def test_watch_waits_for_no_gateway_for_ever(
    gateway: ScriptedGateway, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PAUSE_SECONDS", 0.01)
    gateway.answer(200, job("running"))
    gateway.answer(502, b"<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match="502"):
        do("watch", "j1")
    gateway.script[:] = [
        (200, job("running"), {}),
        (404, problem(404, "job_not_found", "Gone."), {}),
    ]
    asked = len(gateway.asked)
    with pytest.raises(ApiError, match="Gone"):
        do("watch", "j1")
    assert len(gateway.asked) == asked + 2, "what is refused is not asked for again"


@pytest.mark.parametrize("line", [b"<html>", "登录".encode("gbk"), b'{"state": "paused"}'])
@pytest.mark.parametrize("method", ["errors", "watch"])
def test_lines_that_are_not_xunwens(
    method: str, line: bytes, gateway: ScriptedGateway, do: Do
) -> None:
    if method == "watch":
        gateway.answer(200, job("running"))
        line = b"data: " + line
    gateway.answer(200, line + b"\n")
    with pytest.raises(XunwenError, match="same version"):
        do(method, "j1")


def test_jobs_are_iterated_over_pages(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, {"jobs": [job("succeeded", job_id="b")], "next": "b"})
    gateway.answer(200, {"jobs": [job("succeeded", job_id="a")], "next": None})
    assert [item.id for item in do("jobs")] == ["b", "a"]
    assert gateway.asked[1].path == "/v1/index-jobs?after=b"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {}),
        ({"collection": "notes"}, {"collection": "notes"}),
        ({"state": "failed"}, {"state": "failed"}),
        ({"state": JobState.FAILED}, {"state": "failed"}),
        ({"state": ("failed", JobState.QUEUED)}, {"state": "failed,queued"}),
    ],
)
def test_jobs_of_a_collection_or_a_state(
    given: dict[str, Any], sent: dict[str, str], gateway: ScriptedGateway, do: Do
) -> None:
    gateway.answer(200, {"jobs": [], "next": None})
    assert do("jobs", **given) == []
    assert dict(parse_qsl(gateway.asked[0].path.partition("?")[2])) == sent


@pytest.mark.parametrize("collection", ["notes", "documents", "originals", "vectors"])
@pytest.mark.parametrize(
    ("method", "folder"), [("get", "documents"), ("vector", "vectors"), ("original", "originals")]
)
def test_a_collection_may_be_named_as_a_part_of_the_path(
    method: str, folder: str, collection: str, gateway: ScriptedGateway, do: Do
) -> None:
    stored = {"encoder": "e", "dimension": 1, "vector": [1.0], "passage_count": 0}
    gateway.answer(200, {"id": "documents", "collection": collection, **stored})
    do(method, "documents", collection=collection)
    assert gateway.asked[0].path == f"/v1/collections/{collection}/{folder}/documents"


def test_a_document_id_is_quoted_into_the_path(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(200, {"id": "a/b ?", "collection": "notes", "index_version": "1"})
    do("put", Document(id="a/b ?", title="标题"), collection="notes")
    assert gateway.asked[0].path == "/v1/collections/notes/documents/a%2Fb%20%3F"
    assert gateway.asked[0].json == {"title": "标题", "text": "", "body": "", "fields": {}}


@pytest.mark.parametrize(
    "given",
    [
        Document(id="1", title="标题", fields={"year": 2024}),
        StoredDocument(id="1", title="标题", fields={"year": 2024}, passage_count=2),
        {"id": "1", "title": "标题", "fields": {"year": 2024}},
        {"id": 1, "title": "标题", "text": None, "year": 2024},
    ],
)
def test_a_document_is_taken_in_any_form(given: Any, gateway: ScriptedGateway, do: Do) -> None:
    sent = {"title": "标题", "text": "", "body": "", "fields": {"year": 2024}}
    gateway.answer(200, {"id": "1", "collection": "notes", "index_version": "1"})
    do("put", given, collection="notes")
    assert (gateway.asked[0].path, gateway.asked[0].json) == (
        "/v1/collections/notes/documents/1",
        sent,
    )
    gateway.script.clear()
    gateway.answer(200, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    do("index", [given], collection="notes")
    assert gateway.asked[1].json == {"id": "1", **sent}


async def _later() -> AsyncIterator[Document]:
    yield Document(id="1", title="标题")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"id": "1", "title": "标题"}, "`put` writes a single one"),
        (Document(id="1", title="标题"), "`put` writes a single one"),
        (_later(), "list of documents"),
        (b"id,title", "list of documents"),
        (7, "list of documents"),
    ],
)
def test_what_is_neither_files_nor_documents_is_refused(
    given: Any, says: str, gateway: ScriptedGateway, do: Do
) -> None:
    """The members of a single document would be taken for names of files."""
    with pytest.raises(XunwenError, match=says):
        do("index", given, collection="notes")
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"title": "标题"}, "id"),
        ({"id": "1"}, "a title, a text or a body is needed"),
        ({"id": "1", "title": "标题", "fields": {"year": {"from": 1}}}, "year"),
        ("1", "a JSON object"),
        (None, "a JSON object"),
    ],
)
def test_what_is_no_document_is_not_sent(
    given: Any, reason: str, gateway: ScriptedGateway, do: Do
) -> None:
    with pytest.raises(XunwenError, match=f"The document cannot be indexed: .*{reason}"):
        do("put", given, collection="notes")
    assert gateway.asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"title": "甲"},
        {"title": "", "text": "乙"},
        {"title": None},
        {"text": None, "body": None},
        {"fields": {"year": 2021, "draft": None}},
        {"fields": None},
        {},
    ],
)
def test_a_change_names_what_it_removes(
    change: dict[str, Any], gateway: ScriptedGateway, do: Do
) -> None:
    gateway.answer(200, {"id": "1", "collection": "notes", "index_version": "1"})
    do("patch", "1", collection="notes", **change)
    assert gateway.asked[0].json == change
    gateway.asked.clear()
    left = {name: NOT_GIVEN for name in ("title", "text", "body", "fields") if name not in change}
    do("patch", "1", collection="notes", **change, **left)
    assert gateway.asked[0].json == change


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {}),
        ({"input_type": "query"}, {"input_type": "query"}),
        ({"input_type": "document"}, {"input_type": "document"}),
    ],
)
def test_texts_are_embedded_as_queries_or_as_documents(
    options: dict[str, Any], sent: dict[str, str], gateway: ScriptedGateway, do: Do
) -> None:
    vectors = [{"index": 1, "embedding": [0.0, 1.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    gateway.answer(200, {"data": vectors})
    assert do("embed", ["甲", "乙"], **options) == [[1.0, 0.0], [0.0, 1.0]]
    assert gateway.asked[0].json == {"input": ["甲", "乙"], **sent}


def test_readiness_that_is_not_ready_is_an_answer(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(503, {"ready": False, "checks": {"rank": {"ok": False, "detail": "away"}}})
    readiness = do("readiness")
    assert not readiness.ready
    assert readiness.checks["rank"].detail == "away"


def test_an_id_arrives_as_it_is(gateway: ScriptedGateway) -> None:
    gateway.answer(200, {"deleted": 1, "index_version": "1"})
    with Client(gateway.url) as client:
        for value in NASTY:
            client.delete(value, collection="notes")
    assert len(gateway.asked) == len(NASTY)
    for value, asked in zip(NASTY, gateway.asked, strict=True):
        prefix, _, raw = asked.path.rpartition("/")
        assert (asked.method, prefix) == ("DELETE", "/v1/collections/notes/documents")
        assert unquote(raw, errors="strict") == value


def test_an_id_that_no_document_has_is_not_asked_for(gateway: ScriptedGateway) -> None:
    with Client(gateway.url) as client:
        for value in REFUSED:
            for method in (client.get, client.delete):
                with pytest.raises(XunwenError, match="is not possible"):
                    method(value, collection="notes")
    assert gateway.asked == []


def test_a_name_never_becomes_another_route(gateway: ScriptedGateway) -> None:
    with Client(gateway.url) as client:
        for name in ("", ".", "..", "a/b", "notes/documents/1", "../x", "\ud800"):
            for method in ("collection", "delete_collection", "rebuild", "rollback"):
                with pytest.raises(XunwenError, match="There is no collection"):
                    getattr(client, method)(name)
            for method in ("job", "cancel", "retry", "wait"):
                with pytest.raises(XunwenError, match="There is no job"):
                    getattr(client, method)(name)
            for method in ("errors", "watch"):
                with pytest.raises(XunwenError, match="There is no job"):
                    next(getattr(client, method)(name))
            with pytest.raises(XunwenError, match="There is no collection"):
                client.get("1", collection=name)
    assert gateway.asked == []


def test_what_cannot_be_sent_is_said_in_words(gateway: ScriptedGateway, do: Do) -> None:
    for method, args, options in (
        ("search", ("\ud800",), {}),
        ("search", ("a",), {"filter": {"year": float("nan")}}),
        ("search", ("a",), {"filter": {"year": {1}}}),
        ("embed", (["\udfff"],), {}),
        ("jobs", (), {"collection": "\ud800"}),
        ("jobs", (), {"state": "done"}),
        ("jobs", (), {"state": []}),
        ("index", (), {"collection": "notes"}),
        ("index", ([],), {"collection": "notes", "source": "s3://a/b"}),
        ("index", ([],), {"collection": "No Name"}),
        ("index", ([],), {"collection": "notes", "mode": "magic"}),
        ("index", ([],), {"collection": "notes", "format": "pptx"}),
        ("index", ([],), {"collection": "notes", "max_errors": -1}),
        ("index", ([],), {"collection": "notes", "idempotency_key": "钥"}),
        ("index", ([{"id": "1"}],), {"collection": "notes"}),
    ):
        with pytest.raises(XunwenError) as refused:
            do(method, *args, **options)
        assert type(refused.value) is XunwenError
        assert str(refused.value).endswith("."), refused.value
    assert gateway.asked == []


@pytest.mark.parametrize(
    ("method", "args", "options", "name"),
    [
        ("search_batch", ("水稻",), {}, "queries"),
        ("similar", ("1",), {"collection": "notes", "fields": "title"}, "fields"),
        ("cite", ("paper-1",), {"collection": "notes"}, "ids"),
        ("embed", ("水稻",), {}, "texts"),
        ("rerank", ("水稻", "水稻病害"), {}, "documents"),
        ("documents", (), {"collection": "notes", "fields": "title"}, "fields"),
        ("delete_documents", (), {"collection": "notes", "ids": "paper-1"}, "ids"),
        ("put_dictionary", ("notes", "水稻病害"), {}, "words"),
    ],
)
def test_a_text_is_no_list_of_its_letters(
    method: str,
    args: tuple[str, ...],
    options: dict[str, str],
    name: str,
    gateway: ScriptedGateway,
    do: Do,
) -> None:
    with pytest.raises(XunwenError, match=rf"^`{name}` is a list of texts.*write \["):
        do(method, *args, **options)
    assert gateway.asked == []


NO_ADDRESSES = [
    *("", "localhost:8000", "127.0.0.1", "ftp://a", "http://", "http://[::1"),
    *("http://a..b", f"http://{'a' * 64}.example", "http://a:99999", "http://a:0", "http://a/?b=c"),
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_an_address_that_is_none(url: str) -> None:
    for client in (Client, AsyncClient):
        with pytest.raises(XunwenError, match="http://host:port"):
            client(url)
        with pytest.raises(XunwenError, match="API key"):
            client("http://a", api_key="钥匙")


def test_a_redirect_is_no_success(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(307, b"", location="/elsewhere")
    with pytest.raises(ApiError, match="not as Xunwen answers"):
        do("delete_collection", "notes")
    with pytest.raises(ApiError, match="not as Xunwen answers"):
        do("errors", "j1")


def test_input_that_the_server_reads(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    source, vectors = "s3://library/papers.csv", "s3://library/papers.npy"
    do("index", collection="notes", source=source, vectors=vectors, encoder="0123")
    asked = gateway.asked[0]
    assert dict(parse_qsl(asked.path.partition("?")[2])) == {
        "collection": "notes",
        "mode": "upsert",
        "encoder": "0123",
        "source": source,
        "vectors": vectors,
    }
    assert asked.body == b""


def test_documents_are_taken_as_jsonl_takes_them(gateway: ScriptedGateway, do: Do) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    do("index", [{"id": 7, "title": "题", "year": 2020, "text": None}], collection="notes")
    assert json.loads(gateway.asked[0].body) == {
        "id": "7",
        "title": "题",
        "text": "",
        "body": "",
        "fields": {"year": 2020},
    }
