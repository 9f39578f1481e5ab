"""Starting, watching and stopping the embedded system."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xunwen.client import Client, XunwenError
from xunwen.embedded.errors import EmbeddedError, NotRunning
from xunwen.embedded.failure import last_line, log_tail, start_failure
from xunwen.embedded.leftovers import end_leftovers, leftovers
from xunwen.embedded.lock import AlreadyRunning, only_one
from xunwen.embedded.parts import Part, addresses, parts
from xunwen.embedded.preflight import check_models, check_ports, disk_error, prepare_home
from xunwen.embedded.progress import Progressing
from xunwen.embedded.readiness import not_ready
from xunwen.embedded.sample import load_sample
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.stopping import StopWish
from xunwen.embedded.supervision import Supervisor

_POLL_SECONDS = 0.2
_STOP_SECONDS = 120.0
_ENDED = frozenset({"BACKOFF", "EXITED", "FATAL", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Running:
    """A system that is up."""

    settings: EmbeddedSettings
    supervisord: "subprocess.Popen[bytes]"

    def wait(self, stop: StopWish) -> None:
        """Returns when a stop is wished or `xunwen down` ended it. Raises EmbeddedError when
        supervisord was killed."""
        while not stop.within(_POLL_SECONDS):
            status = self.supervisord.poll()
            if status is None:
                continue
            if status == 0:
                return
            raise EmbeddedError(
                f"supervisord ended unexpectedly (status {status}); start again with `xunwen up`."
            )


@contextmanager
def foreground(
    settings: EmbeddedSettings, progress: Progressing, stop: StopWish, *, sample: bool
) -> Iterator[Running]:
    """The system while the block runs; on leaving, nothing of it is left.

    `settings` are resolved. `stop` ends a start that has not finished. Raises EmbeddedError.
    """
    with _started(settings, progress, stop, detach=False, sample=sample) as running:
        try:
            yield running
        finally:
            _stop(settings)


def detached(settings: EmbeddedSettings, progress: Progressing, *, sample: bool) -> Running:
    """Starts in the background; returns when all is ready. Raises EmbeddedError."""
    with _started(settings, progress, StopWish(), detach=True, sample=sample) as running:
        return running


@contextmanager
def _started(
    settings: EmbeddedSettings,
    progress: Progressing,
    stop: StopWish,
    *,
    detach: bool,
    sample: bool,
) -> Iterator[Running]:
    prepare_home(settings)
    with only_one(settings):
        supervisor = Supervisor(settings)
        if supervisor.running():
            raise AlreadyRunning(
                f"Xunwen is running already in {settings.home};"
                " see `xunwen status`, stop it with `xunwen down`."
            )
        end_leftovers(settings)
        check_models(settings)
        all_parts = parts(settings)
        check_ports(settings, all_parts)
        try:
            remember(settings)
            process = supervisor.start(all_parts, addresses(settings), detach=detach)
        except OSError as error:
            raise disk_error(error, settings) from error
        try:
            _await_ready(settings, all_parts, process, progress, stop)
            if sample:
                _index_sample(settings, progress, stop)
        except BaseException:
            _stop(settings)
            raise
        yield Running(settings, process)


def remember(settings: EmbeddedSettings) -> None:
    """Notes the settings of this run, so that status, down and search find it."""
    path = settings.run_dir / "settings.json"
    path.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def down(settings: EmbeddedSettings) -> None:
    """Stops what runs in this home directory. Raises NotRunning."""
    if not Supervisor(settings).running() and not leftovers(settings):
        raise NotRunning(f"Nothing runs in {settings.home}; start it with `xunwen up`.")
    _stop(settings)


def _stop(settings: EmbeddedSettings) -> None:
    if Supervisor(settings).shut_down():
        give_up = time.monotonic() + _STOP_SECONDS
        while leftovers(settings) and time.monotonic() < give_up:
            time.sleep(_POLL_SECONDS)
    end_leftovers(settings)


def _await_ready(
    settings: EmbeddedSettings,
    all_parts: list[Part],
    supervisord: "subprocess.Popen[bytes]",
    progress: Progressing,
    stop: StopWish,
) -> None:
    supervisor = Supervisor(settings)
    waiting = {part.name: "starting" for part in all_parts}
    pids: dict[str, int] = {}
    give_up = time.monotonic() + settings.start_seconds
    while waiting:
        if stop.within(_POLL_SECONDS):
            raise EmbeddedError("Stopped before everything was ready.")
        if supervisord.poll() is not None:
            said = last_line(log_tail(settings.log_dir / "supervisord.err"))
            raise EmbeddedError(f"supervisord does not start: {said or 'it said nothing'}.")
        states = {process.name: process for process in supervisor.processes()}
        for part in all_parts:
            process = states.get(part.name)
            if process is None:
                continue
            if process.state in _ENDED or (
                process.pid and pids.setdefault(part.name, process.pid) != process.pid
            ):
                raise start_failure(part, settings)
            if part.name in waiting and process.state == "RUNNING":
                waiting[part.name] = not_ready(part)
                if not waiting[part.name]:
                    del waiting[part.name]
        for kind, step in (("server", "servers ready"), ("service", "services ready")):
            names = [part.name for part in all_parts if part.kind == kind]
            open_names = [name for name in names if name in waiting]
            progress.show(step, len(names) - len(open_names), len(names), " ".join(open_names))
        if time.monotonic() > give_up:
            reasons = "; ".join(f"{name} ({reason})" for name, reason in waiting.items())
            raise EmbeddedError(
                f"Not ready after {settings.start_seconds:g} s: {reasons}. Logs:"
                f" {settings.log_dir}; a slow machine needs a larger XUNWEN_START_SECONDS."
            )


def _index_sample(settings: EmbeddedSettings, progress: Progressing, stop: StopWish) -> None:
    try:
        # The only key there can be before the first start.
        key = os.environ.get("XUNWEN_GATEWAY_OPERATOR_KEY")
        with Client(settings.gateway_url, api_key=key) as client:
            for job in load_sample(client, settings):
                total = job.total
                progress.show("documents indexed", job.counts.indexed, total, job.state.value)
                if stop.made:
                    raise EmbeddedError("Stopped; the sample literature goes on at the next start.")
    except XunwenError as error:
        raise EmbeddedError(f"The sample literature was not indexed: {error}") from error
