"""supervisord runs what it is given, restarts what is killed and leaves nothing behind."""

import errno
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.waiting import eventually
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.launcher import down
from xunwen.embedded.leash import leash
from xunwen.embedded.leftovers import end_leftovers, leftovers
from xunwen.embedded.parts import Part
from xunwen.embedded.preflight import prepare_home
from xunwen.embedded.settings import PORTS, EmbeddedSettings
from xunwen.embedded.status import part_statuses
from xunwen.embedded.supervision import Supervisor, socket_path

IGNORES_TERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def part(name: str, script: str) -> Part:
    argv = (sys.executable, "-c", script)
    return Part(name, argv, port=None, probe="process", kind="service", stop_seconds=2)


@contextmanager
def supervised(settings: EmbeddedSettings, *parts: Part) -> Iterator[Supervisor]:
    supervisor = Supervisor(settings)
    process = supervisor.start(list(parts), {"GREETING": "100% \"you\" & 'me'"}, detach=False)
    try:
        eventually(lambda: states(supervisor).get(parts[-1].name) == "RUNNING")
        yield supervisor
    finally:
        supervisor.shut_down()
        process.wait(30)
        end_leftovers(settings)


def states(supervisor: Supervisor) -> dict[str, str]:
    return {process.name: process.state for process in supervisor.processes()}


def pid_of(supervisor: Supervisor, name: str) -> int:
    return next(process.pid for process in supervisor.processes() if process.name == name)


def test_a_killed_part_comes_back_and_shutting_down_ends_all(settings: EmbeddedSettings) -> None:
    sleeper = part("sleeper", "import time; time.sleep(600)")
    with supervised(settings, sleeper, part("other", "import time; time.sleep(600)")) as supervisor:
        before = pid_of(supervisor, "sleeper")
        other = pid_of(supervisor, "other")
        os.kill(before, signal.SIGKILL)
        eventually(lambda: pid_of(supervisor, "sleeper") not in (0, before))
        assert pid_of(supervisor, "other") == other
        assert len(leftovers(settings)) == 3  # the two parts and supervisord
    assert leftovers(settings) == []
    assert not supervisor.running()


@pytest.mark.parametrize(
    "name",
    [
        *("two words", "a:b", "papers #2 ;c", "50% %(here)s '\"", "two\nlines", "two\rlines"),
        *("space behind ", "tab behind\t", "line behind\n", " space before", " "),
    ],
)
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    ports: dict[str, Any] = dict.fromkeys(PORTS, 0)
    settings = EmbeddedSettings(home=tmp_path / name, min_free_mb=1, **ports).resolved()
    prepare_home(settings)
    told = settings.home / "told"
    script = "import os, sys, time; print(os.getcwd(), file=open(sys.argv[1], 'w')); time.sleep(9)"
    argv = (sys.executable, "-c", script, str(told))
    one = Part("teller", argv, port=None, probe="process", kind="service", stop_seconds=2)
    with supervised(settings, one):
        eventually(lambda: told.exists() and told.read_bytes() == f"{settings.home}\n".encode())
    assert (settings.log_dir / "teller.log").is_file()
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(
    not leash(), reason="Linux only: elsewhere the next start ends what is left (see below)"
)
def test_killing_supervisord_ends_its_parts(settings: EmbeddedSettings) -> None:
    with supervised(settings, part("sleeper", "import time; time.sleep(600)")) as supervisor:
        child = psutil.Process(pid_of(supervisor, "sleeper"))
        supervisord = supervisor.pid()
        assert supervisord is not None
        os.kill(supervisord, signal.SIGKILL)
        eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_supervisord_that_hangs_is_told_and_ended(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xunwen.embedded.supervision._ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("xunwen.embedded.leftovers._POLITE_SECONDS", 0.5)
    with supervised(settings, part("sleeper", "import time; time.sleep(600)")) as supervisor:
        supervisord = supervisor.pid()
        assert supervisord is not None
        os.kill(supervisord, signal.SIGSTOP)
        assert supervisor.running(), "another start must not end what it cannot ask"
        with pytest.raises(EmbeddedError, match=r"does not answer.*`xunwen down`"):
            supervisor.processes()
        down(settings)
        assert leftovers(settings) == []


def test_a_system_of_another_user_is_not_taken_for_none(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:  # The superuser may connect to every socket.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("xunwen.embedded.supervision._Connection.connect", refused)
    for act in (down, part_statuses):
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            act(settings)


def test_what_ignores_a_polite_end_is_ended_before_the_next_start(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xunwen.embedded.leftovers._POLITE_SECONDS", 0.5)
    with supervised(settings, part("stubborn", IGNORES_TERM)) as supervisor:
        time.sleep(0.2)
        supervisord = supervisor.pid()
        assert supervisord is not None
        os.kill(supervisord, signal.SIGKILL)
        assert end_leftovers(settings) >= 1
        assert leftovers(settings) == []


def test_a_deep_home_still_has_a_socket_of_possible_length(settings: EmbeddedSettings) -> None:
    deep = settings.model_copy(update={"home": settings.home / ("d" * 100)})
    assert len(os.fsencode(socket_path(deep))) < 104
    assert socket_path(deep) != socket_path(settings)


def test_a_shell_with_another_temporary_folder_finds_the_system(
    settings: EmbeddedSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deep = settings.model_copy(update={"home": settings.home / ("d" * 100)})
    socket = socket_path(deep)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # It is read anew, as in another process.
    assert socket_path(deep) == socket
