"""What the gateway hands on of the calls on jobs, and what it refuses, before an indexer of its
own."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from services.common.calls.client import ServiceClient
from services.common.wire.jobs import JobState
from services.gateway.access import keys
from services.gateway.access.keys import ApiKey
from services.gateway.app import create_app
from services.gateway.indexing.jobs import inline
from services.gateway.settings import GatewaySettings
from tests.turns import turns_beside

APP = create_app(GatewaySettings())
LINES = b'{"id": "1", "title": "a"}\n'
SOURCE = "/data/papers.jsonl"


@dataclass
class Indexer:
    """An indexer that takes every call and remembers it."""

    asked: list[httpx.Request] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        if request.method == "GET":
            return httpx.Response(200, json={"jobs": [], "next": None})
        return httpx.Response(202, json={"job_id": "j1", "state": "queued"})

    @property
    def params(self) -> dict[str, str]:
        """The parameters of the last call."""
        return dict(self.asked[-1].url.params)


@dataclass(frozen=True)
class Admits:
    """A check of keys that takes each caller for the owner of one key."""

    key: ApiKey

    async def admit(self, *_: object, **__: object) -> ApiKey:
        return self.key


@asynccontextmanager
async def gateway(indexer: Indexer, key: ApiKey | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway before `indexer`, called with `key`; without one it asks for no keys."""
    transport = httpx.MockTransport(indexer.answer)
    async with ServiceClient("indexer", "http://indexer", timeout=5, transport=transport) as client:
        state: Mapping[str, Any] = {"indexer": client, "doorkeeper": key and Admits(key)}

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            await APP({**scope, "state": dict(state)}, receive, send)

        way = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
            yield http


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("colection=mine&mode=rebuild&format=jsonl", "colection"),
        ("collection=mine&max_error=0&format=jsonl", "max_error"),
        ("collection=mine&format=jsonl&partitions=a", "partitions"),
    ],
)
async def test_a_job_with_an_unknown_option_is_not_submitted(query: str, names: str) -> None:
    indexer = Indexer()
    async with gateway(indexer) as http:
        answer = await http.post(f"/v1/index-jobs?{query}", content=LINES)
    assert answer.status_code == 422
    assert f"query.{names}: there is no such parameter" in answer.json()["detail"]
    assert indexer.asked == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", LINES),
        ("application/x-ndjson", LINES),
        ("application/json", b'{"documents": [{"id": "1", "title": "a"}]}'),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("text/plain", b" "),
    ],
)
async def test_a_source_with_a_body_is_refused(kind: str, body: bytes) -> None:
    indexer = Indexer()
    asked = {"collection": "mine", "format": "jsonl", "source": SOURCE}
    async with gateway(indexer) as http:
        answer = await http.post(
            "/v1/index-jobs", params=asked, content=body, headers={"content-type": kind}
        )
        assert answer.status_code == 422
        assert "send either a body or `source`" in answer.json()["detail"]
        assert indexer.asked == []
        answer = await http.post("/v1/index-jobs", params=asked)
    assert answer.status_code == 202, answer.text
    assert indexer.params["source"] == SOURCE
    assert indexer.asked[-1].content == b""


DOCUMENTS = '{"documents": [{"id": "1", "title": "冻土"}]}'.encode()


@pytest.mark.parametrize("charset", ["gb18030", "gbk", "big5", "utf-16"])
async def test_documents_in_json_are_in_no_other_charset(charset: str) -> None:
    """The indexer would read other characters than were sent, and index those."""
    indexer = Indexer()
    async with gateway(indexer) as http:
        answer = await http.post(
            f"/v1/index-jobs?charset={charset}",
            content=DOCUMENTS,
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 422
    assert "charset: documents in JSON are UTF-8" in answer.json()["detail"]
    assert indexer.asked == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("", "application/json"),
        ("?charset=utf-8", "application/json"),
        ("", "application/json; charset=gbk"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
async def test_documents_in_json_are_handed_on_in_utf_8(query: str, kind: str, mark: bytes) -> None:
    """PowerShell and others write a byte order mark before JSON."""
    indexer = Indexer()
    async with gateway(indexer) as http:
        answer = await http.post(
            f"/v1/index-jobs{query}", content=mark + DOCUMENTS, headers={"content-type": kind}
        )
    assert answer.status_code == 202, answer.text
    assert orjson.loads(indexer.asked[-1].content)["title"] == "冻土"


async def test_others_are_served_while_many_documents_in_json_are_checked() -> None:
    documents = [{"id": str(n), "title": "冻土", "text": "路基" * 100} for n in range(10_000)]
    body = orjson.dumps({"documents": documents})
    async with turns_beside() as turns:
        read = await inline(body)
    assert len(read.documents) == 10_000
    assert turns.taken > 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "collection=mine",
        "state=failed",
        "state=failed,succeeded_with_errors&limit=3",
        "collection=mine&state=queued&limit=200&after=j1",
    ],
)
async def test_a_list_of_jobs_is_asked_for_as_it_was_asked(query: str) -> None:
    indexer = Indexer()
    async with gateway(indexer) as http:
        answer = await http.get(f"/v1/index-jobs?{query}")
    assert answer.status_code == 200, answer.text
    assert indexer.params == dict(parse_qsl(query))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("colection=mine", "colection"),
        ("state=", "state"),
        ("state=done", JobState.SUCCEEDED_WITH_ERRORS),
        ("state=failed,done", JobState.FAILED),
        ("limit=201", "200"),
        ("after=..", "after"),
    ],
)
async def test_a_list_of_jobs_that_there_is_not_is_refused(query: str, says: str) -> None:
    indexer = Indexer()
    async with gateway(indexer) as http:
        answer = await http.get(f"/v1/index-jobs?{query}")
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert indexer.asked == []


class Rejected(httpx.AsyncByteStream):
    """The rejected lines of a job, of which so many blocks were given so far."""

    blocks = 20
    given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self.blocks):
            self.given += 1
            yield b'{"line": 1, "reason": "is not JSON"}\n' * 1_000


async def test_the_errors_of_a_job_are_passed_on_as_they_come() -> None:
    """A million rejected lines are gigabytes."""
    lines = Rejected()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=lines))
    sent: list[tuple[int, int]] = []

    async def receive() -> Message:
        await asyncio.sleep(60)  # The caller stays.
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if size := len(message.get("body", b"")):
            sent.append((lines.given, size))

    async with ServiceClient("indexer", "http://indexer", timeout=5, transport=transport) as client:
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/v1/index-jobs/j1/errors",
            "raw_path": b"/v1/index-jobs/j1/errors",
            "query_string": b"",
            "headers": [],
            "state": {"indexer": client, "doorkeeper": None},
        }
        await APP(scope, receive, send)
    assert sum(size for _, size in sent) == 37_000 * lines.blocks
    assert sent[0][0] == 1, "all of it was in memory before the first line was sent"


def key_of(tenant: str) -> ApiKey:
    _, record = keys.new_key("writer", frozenset({keys.Scope.INDEX}), tenant=tenant)
    return record


async def handed_on(key: ApiKey | None, idempotency_key: str | None) -> str | None:
    """The idempotency key that the indexer gets for one of a caller."""
    indexer = Indexer()
    headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
    async with gateway(indexer, key) as http:
        asked = {"collection": "mine", "format": "jsonl"}
        answer = await http.post("/v1/index-jobs", params=asked, content=LINES, headers=headers)
    assert answer.status_code == 202, answer.text
    given: str | None = indexer.asked[0].headers.get("idempotency-key")
    return given


async def test_an_idempotency_key_is_one_of_its_tenant() -> None:
    tenants = ("alpha", "beta", "alpha-nightly", "a" * 64)
    sent = [(tenant, key) for tenant in tenants for key in ("nightly", "-nightly", "k" * 128)]
    given = [await handed_on(key_of(tenant), key) for tenant, key in sent]
    assert len(set(given)) == len(sent), "two tenants share a key"
    assert given == [await handed_on(key_of(tenant), key) for tenant, key in sent]
    assert max(len(key or "") for key in given) <= 200, "more than the indexer takes"


@pytest.mark.parametrize("key", [None, key_of("-")])
async def test_without_tenants_an_idempotency_key_stays_as_it_is(key: ApiKey | None) -> None:
    assert await handed_on(key, "nightly-2026.11_30") == "nightly-2026.11_30"
    assert await handed_on(key, None) is None


async def test_a_tenant_that_sends_no_idempotency_key_gets_none() -> None:
    assert await handed_on(key_of("alpha"), None) is None
