"""Ids of documents through gateway and indexer: an id names one document and no other route."""

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.documents import MAX_ID_BYTES, check_id
from services.common.paths import DOT_SEGMENTS
from services.common.redis.address import RedisAddress
from services.common.redis.client import opened_redis
from services.gateway.access.keystore import KeyStore
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.gateways import OPERATOR_KEY
from tests.ids import NASTY, REFUSED
from tests.stack import XUNWEN, Stack
from xunwen import ApiError, Client, Document, XunwenError

NAME = f"ids_{os.getpid()}"
KEPT = "kept"
CASES = int(os.environ.get("XUNWEN_TEST_ID_CASES", "25"))
"""Random ids that are tried; more of them make a soak."""


@pytest.fixture(scope="module")
def operator(keyed: str) -> Iterator[Client]:
    """A client that may do everything, with a collection of one document."""
    with Client(keyed, api_key=OPERATOR_KEY, timeout=60) as client:
        client.put(Document(id=KEPT, title="留下来的文献"), collection=NAME)
        yield client
        client.delete_collection(NAME)


@pytest.fixture(scope="module")
def writer(stack: Stack, keyed: str) -> Iterator[httpx.Client]:
    """Raw calls with a key that may index and may not delete collections."""
    made = subprocess.run(
        [XUNWEN, "keys", "create", NAME, "--scope", "index", "--scope", "search"],
        env=stack.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    headers = {"authorization": f"Bearer {made.stdout.strip()}"}
    with httpx.Client(base_url=keyed, headers=headers, timeout=60) as client:
        yield client


def audited(stack: Stack) -> list[str]:
    """The actions in the audit log."""

    async def read() -> list[dict[str, Any]]:
        url = f"redis://127.0.0.1:{stack.settings.state_port}/0"
        async with opened_redis(RedisAddress.parse(url)) as redis:
            return await KeyStore(GuardedRedis(redis, "state Redis")).audit(200)

    return [str(event["action"]) for event in asyncio.run(read())]


def travels(client: Client, value: str) -> None:
    """Writes, reads and deletes the document of an id; nothing else of the collection changes."""
    title = f"标题 {value}"[:200]
    before = client.collection(NAME).count
    written = client.put(Document(id=value, title=title), collection=NAME)
    assert (written.id, written.collection) == (value, NAME)
    read = client.get(value, collection=NAME)
    assert (read.id, read.title) == (value, title)
    assert client.collection(NAME).count == before + 1
    assert client.delete(value, collection=NAME).deleted == 1
    with pytest.raises(ApiError) as gone:
        client.get(value, collection=NAME)
    assert (gone.value.status, gone.value.code) == (404, "document_not_found")
    assert client.get(KEPT, collection=NAME).title == "留下来的文献"
    assert client.collection(NAME).count == before


@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_id_names_its_document(operator: Client, value: str) -> None:
    travels(operator, value)


ALPHABET = st.sampled_from([*"./%?#;:& +\\ab12~@", "文", "é", "😀", "..", "%2F", "%2e", "://"])


@given(
    st.one_of(
        st.lists(ALPHABET, min_size=1, max_size=12).map("".join),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20),
    )
)
@settings(deadline=None, max_examples=CASES)
def test_any_id_is_refused_or_names_its_document(operator: Client, value: str) -> None:
    try:
        check_id(value)
    except ValueError:
        with pytest.raises((XunwenError, ValueError)):
            operator.put(Document(id=value, title="a"), collection=NAME)
        return
    if value != KEPT:
        travels(operator, value)


DOTS = ["%2E%2E", "%2e%2e", "..", ".%2e", "%2E", ".", "%2E%2E/", "%2E%2E/.."]
"""Raw segments after `documents/`, sent as they are, as `curl --path-as-is` does."""


@pytest.mark.parametrize("raw", DOTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_dots_reach_no_other_route(
    stack: Stack, operator: Client, writer: httpx.Client, method: str, raw: str
) -> None:
    before = audited(stack)
    target = f"/v1/collections/{NAME}/documents/{raw}".encode()
    answer = writer.request(
        method, "/", json={"title": "点"} if method == "PUT" else None,
        extensions={"target": target},
    )  # fmt: skip
    decoded = raw.replace("%2E", ".").replace("%2e", ".")
    if decoded in DOT_SEGMENTS:
        assert answer.status_code == 422, answer.text
        assert "cannot be part of an address" in answer.json()["detail"]
    else:  # an id that merely holds dots
        assert answer.status_code in ({"PUT": [200], "DELETE": [200]}.get(method, [200, 404]))
        writer.request("DELETE", "/", extensions={"target": target})
    assert operator.collection(NAME).count == 1
    assert audited(stack) == before


@pytest.mark.parametrize("value", REFUSED)
def test_every_way_in_refuses_the_same_ids(
    operator: Client, writer: httpx.Client, value: str
) -> None:
    document = {"id": value, "title": "标题"}
    inline = writer.post(
        "/v1/index-jobs",
        params={"collection": NAME},
        content=json.dumps({"documents": [document]}),
        headers={"content-type": "application/json"},
    )
    assert inline.status_code in (400, 422), inline.text
    if "\ud800" <= max(value, default="") <= "\udfff":
        return  # no address can hold half a character
    path = f"/v1/collections/{NAME}/documents/{quote(value, safe='').replace('.', '%2E')}"
    for method in ("PUT", "GET", "DELETE"):
        body = {"title": "标题"} if method == "PUT" else None
        answer = writer.request(method, "/", json=body, extensions={"target": path.encode()})
        assert answer.status_code in (400, 422), (method, answer.text)
    line = json.dumps(document, ensure_ascii=False).encode()
    good = json.dumps({"id": KEPT, "title": "留下来的文献"}, ensure_ascii=False).encode()
    job = writer.post(
        "/v1/index-jobs",
        params={"collection": NAME, "format": "jsonl"},
        content=good + b"\n" + line + b"\n",
    )
    assert job.status_code == 202, job.text
    counts = operator.wait(job.json()["job_id"]).counts
    assert (counts.read, counts.indexed, counts.rejected) == (2, 1, 1)


@pytest.mark.parametrize(
    "raw", ["%FF", "%B6%B3%CD%C1", "%ED%A0%80", "a%C3", "%00", "a%0Ab", "x%0A"]
)
def test_addresses_that_are_no_text_are_refused(writer: httpx.Client, raw: str) -> None:
    for path in (f"/v1/collections/{NAME}/documents/{raw}", f"/v1/collections/{raw}", f"/v1/{raw}"):
        answer = writer.get("/", extensions={"target": path.encode()})
        assert answer.status_code == 400, (path, answer.text)
        assert answer.json()["code"] == "malformed_request"
    if "%0" not in raw:
        answer = writer.get("/", extensions={"target": f"/v1/search?q={raw}".encode()})
        assert answer.status_code == 400
        assert "UTF-8" in answer.json()["detail"]


def raw(url: str, target: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of a GET whose address is sent in these bytes, as `curl` sends them."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80), timeout=60) as connection:
        key = OPERATOR_KEY.encode()
        head = b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        connection.sendall(head + b"authorization: Bearer " + key + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    begun, _, body = answer.partition(b"\r\n\r\n")
    return int(begun.split()[1]), json.loads(body)


def test_characters_in_an_address_as_they_are(keyed: str, operator: Client) -> None:
    status, answer = raw(keyed, f"/v1/search?q=冻土&collection={NAME}&rank=false".encode())
    assert (status, answer["query"]) == (200, "冻土")
    status, answer = raw(keyed, f"/v1/collections/{NAME}/documents/冻土".encode())
    assert (status, answer["code"]) == (404, "document_not_found")
    status, answer = raw(keyed, "/v1/search?q=冻土".encode("gb18030"))
    assert (status, answer["code"]) == (400, "malformed_request")
    assert "UTF-8" in answer["detail"]


def test_the_longest_id_and_one_byte_more(operator: Client) -> None:
    travels(operator, "a" * MAX_ID_BYTES)
    with pytest.raises(ValueError, match="at most 512"):
        operator.put(Document(id="a" * (MAX_ID_BYTES + 1), title="a"), collection=NAME)


def test_a_newline_at_the_end_is_no_way_around_a_rule(
    stack: Stack, operator: Client, writer: httpx.Client
) -> None:
    for method, path in (
        ("POST", f"/v1/collections/{NAME}:rebuild%0A"),
        ("DELETE", f"/v1/collections/{NAME}%0A"),
    ):
        answer = writer.request(method, "/", extensions={"target": path.encode()})
        assert answer.status_code == 400, answer.text
    assert operator.collection(NAME).count == 1
    assert writer.delete(f"/v1/collections/{NAME}").status_code == 403
