"""Finds and ends processes that an earlier run left behind because it was killed."""

import psutil

from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.supervision import MARK

_POLITE_SECONDS = 10.0


def leftovers(settings: EmbeddedSettings) -> list[psutil.Process]:
    """Every process whose environment holds the mark of this home directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(settings.home):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # The process is gone meanwhile, or belongs to another user.
    return found


def end_leftovers(settings: EmbeddedSettings) -> int:
    """Ends these processes, after ten seconds by SIGKILL; returns how many there were."""
    found = leftovers(settings)
    for process in found:
        _send(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=_POLITE_SECONDS)
    for process in alive:
        _send(process, kill=True)
    psutil.wait_procs(alive, timeout=_POLITE_SECONDS)
    return len(found)


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
