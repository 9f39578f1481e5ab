"""Signals end the system, unless whoever started it has them ignored."""

import os
import signal
from collections.abc import Iterator

import pytest

from xunwen.embedded.stopping import StopSignals


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_is_noted(number: signal.Signals) -> None:
    def other(*_: object) -> None:
        pytest.fail("the handler before must not be called")

    signal.signal(number, other)
    with StopSignals() as stop:
        assert not stop.within(0)
        os.kill(os.getpid(), number)
        assert stop.within(60)
    assert signal.getsignal(number) is other


def test_an_ignored_signal_stays_ignored(number: signal.Signals) -> None:
    """`nohup xunwen up &` outlives its terminal."""
    signal.signal(number, signal.SIG_IGN)
    with StopSignals() as stop:
        os.kill(os.getpid(), number)
        assert not stop.within(0)
    assert signal.getsignal(number) is signal.SIG_IGN
