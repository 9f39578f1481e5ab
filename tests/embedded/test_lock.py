"""One launcher at a time, and no lock outlives its process."""

import subprocess
import sys

import pytest

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.lock import AlreadyRunning, only_one
from xunwen.embedded.settings import EmbeddedSettings

HOLD = """
import os, sys, time
from xunwen.embedded.lock import only_one
from xunwen.embedded.settings import EmbeddedSettings
with only_one(EmbeddedSettings(home=sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_launcher_is_told_so(settings: EmbeddedSettings) -> None:
    with only_one(settings), pytest.raises(AlreadyRunning, match="xunwen down"), only_one(settings):
        pytest.fail("two held the lock")


def test_a_lock_that_cannot_be_opened_is_told(settings: EmbeddedSettings) -> None:
    """As where `sudo xunwen up` has made it."""
    (settings.run_dir / "lock").mkdir()
    with pytest.raises(EmbeddedError, match=r"lock: .*set XUNWEN_HOME"), only_one(settings):
        pytest.fail("nobody held the lock")


def test_a_killed_launcher_leaves_no_lock(settings: EmbeddedSettings) -> None:
    command = [sys.executable, "-c", HOLD, str(settings.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning), only_one(settings):
            pytest.fail("two held the lock")
        holder.kill()
    with only_one(settings):
        pass
