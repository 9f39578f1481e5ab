"""The transport of calls between services, against real sockets: what it sends, what it makes of
answers and of their absence, and what becomes of connections."""

import asyncio
import base64
import gzip
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.common.calls.certificates import trusted
from services.common.calls.transport import ServiceTransport
from tests.common.raw_server import Handler, answering, server
from tests.redis_sets import certificates, tls_front

_KEPT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def client(base_url: str, *, connections: int = 4, seconds: float = 5) -> httpx.AsyncClient:
    transport = ServiceTransport(trusted(base_url), connections)
    return httpx.AsyncClient(base_url=base_url, transport=transport, timeout=seconds)


def sends(*parts: bytes) -> Handler:
    """A handler that sends these parts after the head of a request, then closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.writelines(parts)
        await writer.drain()

    return handle


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends the connection by a reset."""
    await reader.readuntil(b"\r\n\r\n")
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def hangs(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def hangs_in_its_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal")
    await reader.read(-1)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize(
    ("handler", "error"),
    [
        pytest.param(sends(), httpx.RemoteProtocolError, id="no answer"),
        pytest.param(resets, httpx.ReadError, id="reset"),
        pytest.param(sends(b"SMTP\r\n\r\n"), httpx.RemoteProtocolError, id="not HTTP"),
        pytest.param(sends(b"HTTP/1.1 200 "), httpx.RemoteProtocolError, id="half a head"),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal"),
            httpx.RemoteProtocolError,
            id="half a body",
        ),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
            httpx.RemoteProtocolError,
            id="no chunk",
        ),
        pytest.param(hangs, httpx.ReadTimeout, id="late"),
        pytest.param(hangs_in_its_answer, httpx.ReadTimeout, id="late in its body"),
    ],
)
async def test_each_failure_is_an_error_of_httpx_after_one_request(
    method: str, handler: Handler, error: type[httpx.TransportError]
) -> None:
    """aiohttp would repeat some requests, beyond the budget of retries."""
    calls = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await handler(reader, writer)

    seconds = 0.2 if error is httpx.ReadTimeout else 30
    async with server(counted) as url, client(url, seconds=seconds) as http:
        with pytest.raises(error) as raised:
            await http.request(method, "/x")
    assert type(raised.value) is error
    assert calls == 1


async def test_a_port_on_which_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        async with client(url) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("/x")


async def test_a_server_that_accepts_no_connection() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # The queue has one place; the second connection waits for its answer.
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        async with client(f"http://127.0.0.1:{full.getsockname()[1]}", seconds=0.2) as http:
            with pytest.raises(httpx.ConnectTimeout):
                await http.get("/x")


async def test_a_name_that_nobody_has() -> None:
    async with client("http://nobody.invalid") as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/x")


async def sent(request: httpx.Request) -> bytes:
    """What a server reads of a request, up to the end of a chunked body or of the head."""
    read = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.extend(await reader.readuntil(b"\r\n\r\n"))
        if b"chunked" in read:
            read.extend(await reader.readuntil(b"0\r\n\r\n"))
        elif b"content-length" in read.lower():
            read.extend(await reader.readexactly(3))
        writer.write(_KEPT)
        await writer.drain()

    async with server(handle) as url, client(url) as http:
        request.url = httpx.URL(url).copy_with(raw_path=request.url.raw_path)
        request.headers["host"] = "x"
        await http.send(request)
    return bytes(read)


async def test_a_path_is_sent_as_it_is() -> None:
    path = "/v1/collections/%E7%BB%8F%2F%2e?a=%2B&b=%E4%B8%AD"
    read = await sent(httpx.Request("GET", f"http://x{path}"))
    assert read.startswith(f"GET {path} HTTP/1.1\r\n".encode())


async def test_headers_are_those_of_the_request_and_no_others() -> None:
    headers = {"X-Request-Id": "r-1", "Content-Type": "application/json"}
    read = await sent(httpx.Request("POST", "http://x/", content=b"{1}", headers=headers))
    lines = {line.lower() for line in read.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert lines == {
        b"host: x",
        b"content-length: 3",
        b"x-request-id: r-1",
        b"content-type: application/json",
    }
    assert read.endswith(b"\r\n\r\n{1}")


@pytest.mark.parametrize("length", [None, "3"])
async def test_a_streamed_body_goes_out_in_parts_or_with_its_length(length: str | None) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"bc"

    headers = {"content-length": length} if length else {}
    read = await sent(httpx.Request("PUT", "http://x/", content=parts(), headers=headers))
    head, _, body = read.partition(b"\r\n\r\n")
    assert head.lower().count(b"transfer-encoding") == (0 if length else 1)
    assert body == (b"abc" if length else b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")


async def test_an_answer_that_comes_before_the_body_was_sent_is_read() -> None:
    """Such as 413 to a file that is too large; the caller goes on sending."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0.001)

    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge"

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        while await reader.read(65_536):
            pass

    async with server(refuses) as url, client(url) as http, asyncio.timeout(5):
        response = await http.post("/x", content=endless())
    assert (response.status_code, response.text) == (413, "large")


async def test_a_connection_is_used_again_unless_its_answer_was_left() -> None:
    connections = 0

    async def serves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"
                writer.write(half if b"/half" in head else _KEPT)
        except asyncio.IncompleteReadError:
            return

    async with server(serves) as url, client(url) as http:
        for _ in range(3):
            assert (await http.get("/x")).content == b"ok"
        assert connections == 1
        async with http.stream("GET", "/half"):
            pass
        assert (await http.get("/x")).content == b"ok"
        assert connections == 2


async def test_a_caller_who_leaves_takes_its_connection_along() -> None:
    """The next request must not read the answer that the one before has left."""
    answers = [b"first", b"other"]

    async def slow_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = answers.pop(0)
        if body == b"first":
            await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" + body)
        await reader.read(-1)

    async with server(slow_once) as url, client(url, connections=1) as http:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.get("/x")
        assert (await http.get("/x")).content == b"other"


async def test_no_more_connections_are_open_than_allowed() -> None:
    opened = most = 0

    async def counts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, most
        opened += 1
        most = max(most, opened)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(0.01)
                writer.write(_KEPT)
        except asyncio.IncompleteReadError:
            opened -= 1

    async with server(counts) as url, client(url, connections=2) as http:
        responses = await asyncio.gather(*(http.get("/x") for _ in range(10)))
    assert {response.content for response in responses} == {b"ok"}
    assert most == 2


async def test_a_redirect_and_a_cookie_are_given_to_the_caller() -> None:
    head = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /y\r\nset-cookie: a=b\r\n"
    async with server(sends(head + b"content-length: 0\r\n\r\n")) as url, client(url) as http:
        response = await http.get("/x")
    assert (response.status_code, response.headers["location"]) == (307, "/y")
    assert response.headers["set-cookie"] == "a=b"


async def test_a_compressed_answer_is_decompressed_once() -> None:
    body = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
    async with server(sends(head.encode(), body)) as url, client(url) as http:
        assert (await http.get("/x")).json() == {"a": 1}


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with server(answering("200 OK", b"1")) as url, client(url) as http:
        assert (await http.get("/x")).json() == 1


@pytest.mark.parametrize("known", [True, False])
async def test_a_certificate_must_be_signed_by_one_that_is_trusted(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, others = certificates(tmp_path / "ours"), certificates(tmp_path / "others")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca if known else others.ca))
    async with server(answering("200 OK", b"1")) as url:
        with tls_front(int(url.rpartition(":")[2]), made) as port:
            async with client(f"https://localhost:{port}") as http:
                if known:
                    assert (await http.get("/x")).json() == 1
                else:
                    with pytest.raises(httpx.ConnectError, match="certificate"):
                        await http.get("/x")


class TooMuch(Exception):
    """What a body raises that is read from somebody else."""


@pytest.mark.parametrize("parts", [0, 1, 50])
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(hangs, id="waiting"),
        pytest.param(sends(_KEPT), id="answering at once"),
    ],
)
async def test_a_body_that_fails_raises_its_own_error(handler: Handler, parts: int) -> None:
    """The service that is called has done nothing wrong, and no breaker may count it."""

    async def failing() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield b"x" * 65_536
            await asyncio.sleep(0.001)
        raise TooMuch

    async with server(handler) as url, client(url) as http:
        try:
            response = await http.post("/x", content=failing())
        except TooMuch:
            return
    # An answer that was there before the body failed is as good.
    assert handler is not hangs
    assert response.content == b"ok"


@pytest.mark.parametrize("address", ["rank:8002", "127.0.0.1:8002", "ftp://127.0.0.1/", "http://"])
async def test_an_address_that_is_none_of_http(address: str) -> None:
    async with client(address) as http:
        with pytest.raises(httpx.UnsupportedProtocol):
            await http.get("/x")


async def test_a_name_and_a_password_in_the_address_become_a_header() -> None:
    read: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(_KEPT)

    async with server(handle) as url, client(url.replace("//", "//user:p%40ss@")) as http:
        assert (await http.get("/x")).content == b"ok"
    assert b"authorization: Basic " + base64.b64encode(b"user:p@ss") in read[0].replace(
        b"Authorization", b"authorization"
    )
