"""Starts, watches and stops the embedded system."""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.wire.jobs import Job
from xunwen.client import Client, XunwenError
from xunwen.embedded.earlier import carry_over
from xunwen.embedded.errors import EmbeddedError, NotRunning
from xunwen.embedded.failure import last_line, log_tail, start_failure
from xunwen.embedded.leftovers import end_leftovers, leftovers
from xunwen.embedded.lock import AlreadyRunning, only_one
from xunwen.embedded.parts import Part, addresses, parts
from xunwen.embedded.preflight import (
    check_environment,
    check_models,
    check_ports,
    disk_error,
    prepare_home,
)
from xunwen.embedded.progress import Progressing
from xunwen.embedded.readiness import not_ready
from xunwen.embedded.sample import load_sample
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.stopping import StopSignals
from xunwen.embedded.supervision import Supervisor

_OPERATOR_KEY = "XUNWEN_GATEWAY_OPERATOR_KEY"
"""Variable of the key by which the launcher indexes documents where calls need one. If the
environment names none, each run gets its own, so that a start needs no key that users have."""
_POLL_SECONDS = 0.2
_STOP_SECONDS = 120.0
_STOPPED = "Stopped before everything was ready."
_ENDED = frozenset({"BACKOFF", "EXITED", "FATAL", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Running:
    """A system whose parts are all ready."""

    settings: EmbeddedSettings
    supervisord: "subprocess.Popen[bytes]"

    def wait(self, stop: StopSignals) -> None:
        """Returns when a stop is asked for, or after `xunwen down`.

        Raises EmbeddedError if supervisord was killed.
        """
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
    settings: EmbeddedSettings, progress: Progressing, stop: StopSignals, *, sample: bool
) -> Iterator[Running]:
    """Runs the system while the block runs, and ends all of its processes afterwards.

    `settings` are resolved. `stop` also ends a start that has not finished. Raises EmbeddedError.
    """
    with _started(settings, progress, stop, detach=False, sample=sample) as running:
        try:
            yield running
        finally:
            _stop(settings)


def detached(settings: EmbeddedSettings, progress: Progressing, *, sample: bool) -> Running:
    """Starts the system in the background; returns when it is ready. Raises EmbeddedError.

    A signal to stop that comes before ends all of its processes.
    """
    with (
        StopSignals() as stop,
        _started(settings, progress, stop, detach=True, sample=sample) as running,
    ):
        return running


@contextmanager
def _started(
    settings: EmbeddedSettings,
    progress: Progressing,
    stop: StopSignals,
    *,
    detach: bool,
    sample: bool,
) -> Iterator[Running]:
    prepare_home(settings)
    key = os.environ.get(_OPERATOR_KEY) or secrets.token_hex(32)
    with only_one(settings):
        supervisor = Supervisor(settings)
        if supervisor.running():
            raise AlreadyRunning(
                f"Xunwen is running already in {settings.home};"
                " see `xunwen status`, stop it with `xunwen down`."
            )
        end_leftovers(settings)
        check_environment(addresses(settings), os.environ)
        check_models(settings)
        all_parts = parts(settings)
        check_ports(all_parts)
        try:
            remember(settings)
            environment = {**addresses(settings), _OPERATOR_KEY: key}
            process = supervisor.start(all_parts, environment, detach=detach)
        except OSError as error:
            raise disk_error(error, settings) from error
        try:
            _await_ready(settings, all_parts, process, progress, stop)
            _index(settings, key, progress, stop, sample=sample)
        except BaseException as error:
            elsewhere = process.poll() == 0 or supervisor.ending()
            _stop(settings)
            if elsewhere and isinstance(error, EmbeddedError):
                raise EmbeddedError(_STOPPED) from error
            raise
        yield Running(settings, process)


def remember(settings: EmbeddedSettings) -> None:
    """Writes down the settings of this run, which status, down and search read."""
    path = settings.run_dir / "settings.json"
    path.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def down(settings: EmbeddedSettings) -> None:
    """Stops the system of this home directory. Raises NotRunning."""
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
    stop: StopSignals,
) -> None:
    supervisor = Supervisor(settings)
    waiting = {part.name: "starting" for part in all_parts}
    pids: dict[str, int] = {}
    give_up = time.monotonic() + settings.start_seconds
    while waiting:
        if stop.within(_POLL_SECONDS):
            raise EmbeddedError(_STOPPED)
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


def _index(
    settings: EmbeddedSettings,
    key: str,
    progress: Progressing,
    stop: StopSignals,
    *,
    sample: bool,
) -> None:
    """Indexes the documents of an earlier version, and the sample literature if asked for."""
    try:
        with Client(settings.gateway_url, api_key=key) as client:
            carried = carry_over(client, settings)
            _follow(carried, "documents moved from milvus-lite 3", progress, stop)
            if sample:
                _follow(load_sample(client, settings), "documents indexed", progress, stop)
    except XunwenError as error:
        raise EmbeddedError(f"Documents were not indexed: {error}") from error
    except OSError as error:
        raise disk_error(error, settings) from error


def _follow(jobs: Iterator[Job], step: str, progress: Progressing, stop: StopSignals) -> None:
    for job in jobs:
        progress.show(step, job.counts.indexed, job.total, job.state.value)
        if stop.received:
            raise EmbeddedError("Stopped; the documents go on at the next start.")
