"""The command line run in this process against a scripted gateway."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.client.scripted import ScriptedGateway, scripted_gateway
from xunwen.cli.main import main


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Xunwen = Callable[..., Ran]


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture
def xunwen(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Xunwen:
    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["xunwen", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return Ran(int(ended.value.code or 0), written.out, written.err)

    monkeypatch.setenv("XUNWEN_URL", gateway.url)
    monkeypatch.setenv("COLUMNS", "120")
    return run
