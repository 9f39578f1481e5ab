"""Checks disk, models and ports before anything is started."""

import errno
import os
import shutil
from collections.abc import Mapping

from services.common.errors import ModelInvalid
from services.common.model_dir import ModelKind, load_manifest
from services.common.server.listening import bind
from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.parts import Part
from xunwen.embedded.settings import EmbeddedSettings, variable


def prepare_home(settings: EmbeddedSettings) -> None:
    """Makes the directories. Raises EmbeddedError if they cannot be written or the disk is full."""
    home = settings.home
    try:
        for name in ("milvus", "state", "cache", "jobs", "logs", "run", "dictionaries"):
            (home / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, settings) from error
    if not os.access(home, os.W_OK):
        raise EmbeddedError(f"{home} cannot be written; set XUNWEN_HOME to another directory.")
    free_mb = shutil.disk_usage(home).free // 2**20
    if free_mb < settings.min_free_mb:
        raise EmbeddedError(
            f"The disk of {home} is full: {free_mb:,} MB free, {settings.min_free_mb:,} MB needed;"
            " free some space or set XUNWEN_HOME to another disk."
        )


def disk_error(error: OSError, settings: EmbeddedSettings) -> EmbeddedError:
    """The error to raise if the home directory cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EmbeddedError(
            f"The disk of {settings.home} is full; free some space or set XUNWEN_HOME."
        )
    return EmbeddedError(
        f"{error.filename or settings.home}: {error.strerror}; set XUNWEN_HOME to a directory"
        " that can be written."
    )


def check_environment(own: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raises EmbeddedError for a variable in `given` that would have no effect, since the system
    sets it for its own parts, as `own` says."""
    settings = {variable(name) for name in EmbeddedSettings.model_fields}
    for name, value in own.items():
        if name not in settings and given.get(name, "") not in ("", value):
            raise EmbeddedError(
                f"{name} is set and would have no effect: the system runs parts of its own and sets"
                f" it to {value}. Leave it out; stores of your own are for the compose file and the"
                " Helm chart, and docs/settings.md lists what this system reads."
            )


def check_models(settings: EmbeddedSettings) -> None:
    """Raises EmbeddedError, which names a missing or broken file, unless the models are whole."""
    for setting, kind, directory in (
        ("XUNWEN_ENCODER", ModelKind.ENCODER, settings.encoder),
        ("XUNWEN_RANKER", ModelKind.RANKER, settings.ranker),
    ):
        try:
            manifest = load_manifest(directory)
        except ModelInvalid as error:
            raise EmbeddedError(f"{error.detail} ({setting} names the directory)") from error
        if manifest.kind is not kind:
            raise EmbeddedError(
                f"{directory} holds a model of kind {manifest.kind}, not {kind}; set {setting}."
            )


def check_ports(parts: list[Part]) -> None:
    """Raises EmbeddedError, which names the setting to change, if a part cannot listen."""
    asked: dict[int, str] = {}
    for part in parts:
        if part.port is None:
            continue
        if part.port in asked:
            raise EmbeddedError(
                f"{asked[part.port]} and {part.port_setting} are both {part.port}; change one."
            )
        asked[part.port] = part.port_setting
        try:
            bind(part.host, part.port).close()
        except OSError as error:
            raise _cannot_listen(part, error) from error


def _cannot_listen(part: Part, error: OSError) -> EmbeddedError:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        taken = error.errno == errno.EADDRINUSE
        reason = "another program uses it" if taken else str(error.strerror)
        return EmbeddedError(
            f"Port {part.port} on {part.host} ({part.name}) is not available: {reason};"
            f" set {part.port_setting} to another port (0: any free one)."
        )
    # Only the gateway has a host that can be set; all others listen on 127.0.0.1.
    return EmbeddedError(
        f"The {part.name} cannot listen on {part.host}: {error.strerror}; set XUNWEN_GATEWAY_HOST"
        " to an address of this machine, or to 0.0.0.0 for all of them."
    )
