"""What a client says when no exchange with a gateway comes about."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.client.scripted import ANSWER, scripted_gateway
from tests.redis_sets import certificates, tls_front
from xunwen import AsyncClient, Client, ConnectionFailed, XunwenError
from xunwen.client.retries import Retries

Search = Callable[[str], object]


@pytest.fixture(params=["synchronous", "asynchronous"])
def search(request: pytest.FixtureRequest) -> Search:
    once = Retries(attempts=1)

    def with_client(url: str) -> object:
        with Client(url, timeout=5, retries=once) as client:
            return client.search("a")

    async def with_async_client(url: str) -> object:
        async with AsyncClient(url, timeout=5, retries=once) as client:
            return await client.search("a")

    if request.param == "synchronous":
        return with_client
    return lambda url: asyncio.run(with_async_client(url))


def test_certificates(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificates(tmp_path / "made")
    with scripted_gateway() as gateway:
        gateway.answer(200, ANSWER)
        with tls_front(int(gateway.url.rpartition(":")[2]), made) as port:
            with pytest.raises(
                ConnectionFailed, match=r"certificate of .* not trusted.*SSL_CERT_F"
            ):
                search(f"https://127.0.0.1:{port}")
            monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
            search(f"https://127.0.0.1:{port}")
        with pytest.raises(ConnectionFailed, match=r"https://.* does not speak TLS.*http://"):
            search(gateway.url.replace("http", "https"))
    for content in (None, "no certificate"):
        file = tmp_path / "none.pem"
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        if content:
            file.write_text(content)
        with pytest.raises(XunwenError, match="SSL_CERT_FILE"):
            search("https://127.0.0.1:1")


@contextmanager
def _serving(answer: bytes) -> Iterator[str]:
    """The address of a server that answers every connection so and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"SSH-2.0-OpenSSH\r\n"]
)
def test_a_connection_that_breaks(answer: bytes, search: Search) -> None:
    with _serving(answer) as url, pytest.raises(ConnectionFailed, match="broke off"):
        search(url)


def test_a_name_that_nobody_has(search: Search) -> None:
    with pytest.raises(ConnectionFailed, match=r"name gateway\.invalid is not known"):
        search("http://gateway.invalid:8000")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://[::1"])
def test_a_proxy_that_cannot_be_one(
    proxy: str, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(XunwenError, match="proxy"):
        search("http://198.51.100.1:8000")


def test_a_connection_that_does_not_come_about_takes_no_longer_than_an_answer() -> None:
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):  # More than the server lets wait; the system drops the next ones.
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with (
            Client(url, timeout=0.5, retries=Retries(attempts=1)) as client,
            pytest.raises(ConnectionFailed, match="did not answer in time"),
        ):
            client.search("a")
        assert time.monotonic() - started < 4


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e10, None, "5"])
def test_a_time_that_no_socket_can_wait(
    seconds: Any, kind: type[Client] | type[AsyncClient]
) -> None:
    with pytest.raises(XunwenError, match="is no number of seconds"):
        kind("http://127.0.0.1:1", timeout=seconds)
