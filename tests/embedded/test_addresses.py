"""Where a gateway is asked that listens on another address than 127.0.0.1."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.common.server.listening import bind
from tests.common.running import PROGRAM, ROOT
from tests.servers import free_port
from tests.waiting import eventually
from xunwen import Client
from xunwen.cli.context import console
from xunwen.cli.system import _status_table, _welcome
from xunwen.embedded.parts import Part, addresses, parts
from xunwen.embedded.readiness import not_ready
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.status import PartStatus


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("192.168.1.5", "192.168.1.5"),
        ("localhost", "localhost"),
        ("search.example", "search.example"),
        ("::1", "[::1]"),
        ("2001:db8::5", "[2001:db8::5]"),
        ("fe80::5%eth0", "[fe80::5%eth0]"),
        ("0.0.0.0", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
    ],
)
def test_the_address_follows_the_host(host: str, reached: str) -> None:
    settings = EmbeddedSettings(gateway_host=host, gateway_port=8123)
    assert settings.gateway_url == f"http://{reached}:8123"
    gateway = _gateway(settings)
    assert (gateway.host, gateway.address) == (host, f"{reached}:8123")
    assert addresses(settings)["XUNWEN_GATEWAY_HOST"] == host


def test_only_the_gateway_takes_another_host() -> None:
    others = parts(EmbeddedSettings(gateway_host="0.0.0.0"))[:-1]
    assert {part.host for part in others} == {"127.0.0.1"}
    assert {part.address for part in others if part.port is None} == {None}


@pytest.mark.parametrize("service", ["RECALL", "RANK", "INDEXER"])
def test_a_service_behind_listens_where_it_is_asked(service: str) -> None:
    """The environment may hold another host, that of a service which runs by itself."""
    assert addresses(EmbeddedSettings())[f"XUNWEN_{service}_HOST"] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0", "::1", "::"])
def test_a_service_is_found_ready_and_called(host: str) -> None:
    settings = EmbeddedSettings(gateway_host=host, gateway_port=free_port())
    try:
        bind(host, settings.gateway_port).close()
    except OSError:
        pytest.skip("this machine has no such address")
    gateway = _gateway(settings)
    assert not_ready(gateway) == "does not answer"
    with _serving(settings):
        eventually(lambda: not_ready(gateway) == "")
        with Client(settings.gateway_url) as client:
            assert client.readiness().ready


@pytest.mark.parametrize("host", ["fd00::1", "fe80::1%eth0", "::1", "127.0.0.2"])
def test_the_address_is_shown_whole(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets around letters would be taken for the name of a colour."""
    settings = EmbeddedSettings(gateway_host=host)
    gateway = _gateway(settings)
    _welcome(settings, "")
    assert capsys.readouterr().out.count(f"http://{gateway.address}/") == 2
    state = PartStatus(
        name="gateway",
        process="RUNNING",
        pid=1,
        uptime_seconds=1,
        ready=True,
        detail="",
        address=gateway.address,
    )
    console.print(_status_table([state]))
    assert f" {gateway.address}" in capsys.readouterr().out


def _gateway(settings: EmbeddedSettings) -> Part:
    (gateway,) = [part for part in parts(settings) if part.name == "gateway"]
    return gateway


@contextmanager
def _serving(settings: EmbeddedSettings) -> Iterator[None]:
    """A small service that listens where the gateway would."""
    listens = {"SMALL_HOST": settings.gateway_host, "SMALL_PORT": str(settings.gateway_port)}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **listens}
    process = subprocess.Popen([sys.executable, PROGRAM], env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()
