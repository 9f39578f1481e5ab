"""Starts that end before the system is ready."""

import sys
import threading

import pytest
from rich.console import Console

from tests.servers import free_port
from tests.waiting import eventually
from xunwen.embedded import launcher
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.leftovers import leftovers
from xunwen.embedded.parts import Part
from xunwen.embedded.progress import ProgressDisplay
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.stopping import StopSignals
from xunwen.embedded.supervision import Supervisor

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_start_that_is_stopped_from_elsewhere_says_so(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_ready = Part("state", SLEEP, port=free_port(), probe="tcp", kind="server")
    monkeypatch.setattr(launcher, "parts", lambda _: [never_ready])

    def stopped() -> None:
        eventually(Supervisor(settings).running)
        launcher.down(settings)

    elsewhere = threading.Thread(target=stopped)
    elsewhere.start()
    display = ProgressDisplay(Console())
    start = launcher.foreground(settings, display, StopSignals(), sample=False)
    with pytest.raises(EmbeddedError, match="Stopped before everything was ready"), start:
        pytest.fail("the part is never ready")
    elsewhere.join()
    assert leftovers(settings) == []


def test_a_milvus_of_ones_own_is_not_passed_over_in_silence(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_ready = Part("state", SLEEP, port=free_port(), probe="tcp", kind="server")
    monkeypatch.setattr(launcher, "parts", lambda _: [never_ready])
    monkeypatch.setenv("XUNWEN_RECALL_MILVUS_URI", "http://milvus.example:19530")
    hasty = settings.model_copy(update={"start_seconds": 1.0})
    start = launcher.foreground(hasty, ProgressDisplay(Console()), StopSignals(), sample=False)
    with pytest.raises(EmbeddedError, match="XUNWEN_RECALL_MILVUS_URI is set"), start:
        pytest.fail("the part is never ready")
