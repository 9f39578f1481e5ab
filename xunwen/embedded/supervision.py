"""Configures and starts supervisord, and asks it for the state of the parts."""

import hashlib
import http.client
import os
import shlex
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.leash import leash
from xunwen.embedded.parts import Part
from xunwen.embedded.settings import EmbeddedSettings

MARK = "XUNWEN_EMBEDDED_HOME"
"""Every process of an embedded system carries its home directory in this variable."""

_SIGNS = {
    "#": "XUNWEN_SIGN_NUMBER",
    ";": "XUNWEN_SIGN_SEMICOLON",
    "%": "XUNWEN_SIGN_PERCENT",
    "\n": "XUNWEN_SIGN_NEWLINE",
    "\r": "XUNWEN_SIGN_RETURN",
}
"""Variables that stand for signs which mean something in supervisord's configuration: after a
space, # and ; begin a comment there, and % begins a variable."""
_MAX_SOCKET_PATH = 100
_SHORT = Path("/tmp")  # noqa: S108 - TMPDIR may be another folder where the system is stopped
_ANSWER_SECONDS = 30.0
"""supervisord answers in milliseconds."""
_NOT_ANSWERING = (OSError, http.client.HTTPException, xmlrpc.client.Error)


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A part as supervisord sees it."""

    name: str
    state: str
    """STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL."""
    pid: int
    uptime_seconds: int


class Supervisor:
    """The supervisord of a home directory, which may or may not run."""

    def __init__(self, settings: EmbeddedSettings) -> None:
        self._settings = settings
        self._socket = socket_path(settings)

    def start(
        self, parts: list[Part], env: Mapping[str, str], *, detach: bool
    ) -> subprocess.Popen[bytes]:
        """Writes the configuration and starts supervisord.

        It runs in a session of its own, so that Ctrl-C reaches the launcher only. Raises OSError if
        the home directory cannot be written.
        """
        config = self._settings.run_dir / "supervisord.conf"
        config.write_text(render(self._settings, parts), encoding="utf-8")
        command = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config)]
        log = self._settings.log_dir / "supervisord.err"
        with log.open("wb") as errors:
            return subprocess.Popen(  # noqa: S603 - our own command line
                # Elsewhere than on Linux the next start ends what a killed launcher left.
                command if detach else [*leash(), *command],
                env={
                    **os.environ,
                    **env,
                    MARK: str(self._settings.home),
                    **{variable: sign for sign, variable in _SIGNS.items()},
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self._settings.home,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Whether supervisord answers, or hangs. Raises EmbeddedError if it is another user's."""
        try:
            return bool(self._call("getState")["statename"])
        except _Hanging:
            return True
        except _NOT_ANSWERING:
            return False

    def ending(self) -> bool:
        """Whether supervisord was asked to shut down, and has not ended yet. Raises EmbeddedError
        if it is another user's."""
        try:
            self._call("getState")
        except xmlrpc.client.Fault as fault:
            return bool(fault.faultCode == Faults.SHUTDOWN_STATE)
        except (_Hanging, *_NOT_ANSWERING):
            return False
        return False

    def pid(self) -> int | None:
        """The process id of supervisord; None if it does not answer. Raises EmbeddedError if it
        hangs or is another user's."""
        try:
            return int(self._call("getPID"))
        except _NOT_ANSWERING:
            return None

    def processes(self) -> list[ProcessState]:
        """The state of each part; empty if supervisord does not answer. Raises EmbeddedError if it
        hangs or is another user's."""
        try:
            infos = self._call("getAllProcessInfo")
        except _NOT_ANSWERING:
            return []
        return [
            ProcessState(
                name=info["name"],
                state=info["statename"],
                pid=info["pid"],
                uptime_seconds=info["now"] - info["start"] if info["pid"] else 0,
            )
            for info in infos
        ]

    def shut_down(self) -> bool:
        """Asks supervisord to stop all parts and itself; returns False if it does not answer.
        Raises EmbeddedError if it is another user's."""
        try:
            self._call("shutdown")
        except (_Hanging, *_NOT_ANSWERING):
            return False
        return True

    def _call(self, method: str) -> Any:
        transport = _Transport(self._socket)
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)()
        except PermissionError as error:
            raise EmbeddedError(
                f"The system in {self._settings.home} belongs to another user; act on it as that"
                " user, or set XUNWEN_HOME to a directory of your own."
            ) from error
        except TimeoutError as error:
            raise _Hanging(
                f"The supervisor in {self._settings.home} does not answer; `xunwen down` ends it"
                " and all parts."
            ) from error


class _Hanging(EmbeddedError):
    """supervisord is there and does not answer, since it is held or its machine is too busy."""


class _Transport(xmlrpc.client.Transport):
    """Calls over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """A new connection, which is closed with the transport."""
        connection = _Connection(self._path)
        self._connection = (host, connection)
        return connection


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        # The path is no host: in that a space is an error, and a colon begins a port.
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Opens the socket."""
        opened = socket.socket(socket.AF_UNIX)
        opened.settimeout(self.timeout)
        try:
            opened.connect(str(self._path))
        except OSError:
            opened.close()
            raise
        self.sock = opened


def socket_path(settings: EmbeddedSettings) -> Path:
    """Path of supervisord's socket: in the home directory, or in /tmp if the path would be too long
    for a socket."""
    inside = settings.run_dir / "supervisor.sock"
    if len(os.fsencode(inside)) <= _MAX_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:16]
    return _SHORT / f"xunwen-{os.getuid()}-{digest}.sock"


def render(settings: EmbeddedSettings, parts: list[Part]) -> str:
    """The content of supervisord's configuration file. All parts run in supervisord's own folder,
    the home: as the end of a value, a space at the end of its name would be cut off."""
    run, socket = settings.run_dir, socket_path(settings)
    sections = [
        _section(
            "supervisord",
            logfile=settings.log_dir / "supervisord.log",
            logfile_maxbytes="1MB",
            logfile_backups=1,
            pidfile=run / "supervisord.pid",
            minfds=1024,
            silent="true",
        ),
        _section("unix_http_server", file=socket, chmod="0600"),
        _section(
            "rpcinterface:supervisor",
            **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
        ),
    ]
    for priority, part in enumerate(parts, start=1):
        sections.append(
            _section(
                f"program:{part.name}",
                command=shlex.join([*leash(), *part.argv]),
                priority=priority,
                autorestart="true",
                startsecs=1,
                # supervisord waits a second longer after each failed start, and never gives up.
                startretries=1000,
                stopsignal=part.stop_signal,
                stopwaitsecs=part.stop_seconds,
                stopasgroup="false",
                killasgroup="true",
                # It is relative to the home, since supervisord expands this value twice.
                stdout_logfile=Path(settings.log_dir.name) / f"{part.name}.log",
                redirect_stderr="true",
                stdout_logfile_maxbytes="10MB",
                stdout_logfile_backups=2,
                environment=",".join(f'{key}="{value}"' for key, value in part.env.items()),
            )
        )
    return "\n".join(sections)


def _section(name: str, **options: object) -> str:
    lines = [f"[{name}]"]
    lines += [f"{key}={_written(str(value))}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def _written(value: str) -> str:
    """The form in which supervisord's configuration holds a value."""
    return value.translate({ord(sign): f"%(ENV_{name})s" for sign, name in _SIGNS.items()})
