"""Which servers are reached without the proxies of the environment, and by which callers."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from services.common.calls.proxies import asks_proxies
from services.common.engine.remote import Endpoint, RemoteModel, RemotePredictor, RemoteText
from services.common.milvus import MilvusAddress, milvus_connection
from services.indexer.work.client import IndexerClient
from tests.client.scripted import scripted_gateway
from tests.proxies import DEAD_PROXIES
from tests.servers import milvus_lite
from xunwen import AsyncClient, Client
from xunwen.embedded.parts import Part
from xunwen.embedded.readiness import not_ready


def own_addresses() -> list[str]:
    """The IPv4 addresses of this machine, loopback and others."""
    interfaces = psutil.net_if_addrs().values()
    found = {each.address for of in interfaces for each in of if each.family is socket.AF_INET}
    return sorted(found)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "0.0.0.0", *own_addresses()])
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_a_server_on_this_machine(scheme: str, host: str) -> None:
    assert not asks_proxies(f"{scheme}://{host}:8000/v1")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_a_server_on_this_machine_by_ipv6() -> None:
    assert not asks_proxies("http://[::1]:8000")


@pytest.mark.parametrize(
    "host",
    ["search.example", "localhost.example", "198.51.100.1", "[2001:db8::1]", "127.0.0.1.example"],
)
def test_a_server_elsewhere(host: str) -> None:
    assert asks_proxies(f"https://{host}:8000/v1")


@pytest.fixture
def dead_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies for everything, none of which answers."""
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, address in DEAD_PROXIES.items():
        monkeypatch.setenv(name, address)


def _asks_for_readiness(url: str) -> None:
    part = Part("gateway", (), port=urlsplit(url).port, probe="http", kind="service")
    assert not_ready(part) == ""


def _client(url: str) -> None:
    with Client(url) as client:
        client.readiness()


def _async_client(url: str) -> None:
    async def ask() -> None:
        async with AsyncClient(url) as client:
            await client.readiness()

    asyncio.run(ask())


def _worker(url: str) -> None:
    client = IndexerClient(url, "worker", None)
    client.heartbeat()
    client.close()


def _remote_model(url: str) -> None:
    predictor = RemotePredictor(RemoteModel(protocol="openai", model="m"), Endpoint(url=url))
    assert predictor.answer([RemoteText([0], [], "text", None)]).shape == (1, 2)
    predictor.close()


@pytest.mark.usefixtures("dead_proxies")
@pytest.mark.parametrize(
    "call", [_asks_for_readiness, _client, _async_client, _worker, _remote_model]
)
def test_a_caller_reaches_a_server_on_this_machine(call: Callable[[str], None]) -> None:
    answer = {"ready": True, "checks": {}, "data": [{"index": 0, "embedding": [0.6, 0.8]}]}
    with scripted_gateway() as server:
        server.answer(200, answer)
        call(server.url)
    assert len(server.asked) == 1


@pytest.mark.usefixtures("dead_proxies")
async def test_the_embedded_milvus_is_reached(tmp_path: Path) -> None:
    with milvus_lite(tmp_path) as server:
        async with milvus_connection(MilvusAddress(server.url)) as connection:
            assert (await connection.engine()).embedded


def test_a_gateway_elsewhere_is_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_gateway() as proxy:
        proxy.answer(200, {"ready": True, "checks": {}})
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with Client("http://search.example:8000") as client:
            assert client.readiness().ready
    assert [asked.path for asked in proxy.asked] == ["http://search.example:8000/readyz"]
