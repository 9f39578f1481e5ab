"""The directory of a run, which belongs to one recipe and to the content of the files it names."""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from services.common.model_dir import MANIFEST
from services.common.model_dir.files import sha256_of
from training import durable
from training.failures import RunInUse, RunMismatch
from training.run.checkpoint import POINTER
from training.run.recipe import Recipe

CHECKPOINTS, BEST, LAST = "checkpoints", "best", "last"
RECIPE: Final = "recipe.yaml"
DATA: Final = "data.json"
"""Checksums of the files and directories that the recipe names, by their paths in it."""
_LOCK: Final = ".lock"


def check(recipe: Recipe) -> None:
    """Raises RunInUse if another process trains in the run directory, and RunMismatch if it holds a
    run with other settings or of other data.

    A run that ended before it kept anything may be begun anew with other ones.
    """
    if (recipe.output / _LOCK).is_file():
        with _held(recipe.output):
            pass
    _compare(recipe)


@contextmanager
def claimed(recipe: Recipe) -> Iterator[Path]:
    """Makes the directory of a run, writes what it belongs to, and keeps other processes out of it
    while the block runs. Raises RunInUse, RunMismatch."""
    run = recipe.output
    run.mkdir(parents=True, exist_ok=True)
    with _held(run):
        _compare(recipe)
        settings = yaml.safe_dump(_settings(recipe), allow_unicode=True, sort_keys=False)
        durable.write(run / RECIPE, settings)
        durable.write(
            run / DATA, json.dumps(_checksums(recipe), ensure_ascii=False, indent=1) + "\n"
        )
        yield run


@contextmanager
def _held(run: Path) -> Iterator[None]:
    """Holds the lock of a run directory, which the operating system frees when the process ends."""
    with (run / _LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunInUse(
                f"another process trains in {run}; wait until it has ended, or choose another"
                " output"
            ) from None
        yield


def _compare(recipe: Recipe) -> None:
    """Raises RunMismatch."""
    run = recipe.output
    kept = (run / CHECKPOINTS / POINTER, run / BEST, run / LAST)
    if not (run / RECIPE).is_file() or not any(path.exists() for path in kept):
        return
    if differing := _differing(_settings_of(run, type(recipe)), _flat(_settings(recipe))):
        raise RunMismatch(
            f"{run} holds a run with other settings ({differing}); choose another output or"
            " remove it"
        )
    if not (run / DATA).is_file():
        return  # The run was begun before there were checksums.
    before = json.loads((run / DATA).read_text("utf-8"))
    if changed := _differing(before, _checksums(recipe)):
        raise RunMismatch(
            f"{run} holds a run of other data ({changed} changed since it began); put them back,"
            " choose another output, or remove it"
        )


def _settings(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json")


def _settings_of(run: Path, kind: type[Recipe]) -> dict[str, Any]:
    """The settings of a run by name; those that its version did not have are the defaults."""
    try:
        saved = yaml.safe_load((run / RECIPE).read_text("utf-8"))
        return _flat(_settings(kind.model_validate(saved)))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunMismatch(
            f"{run} holds a run of another stage or version; choose another output or remove it"
        ) from error


def _flat(settings: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{section}{name}.")
        else:
            flat[f"{section}{name}"] = value
    return flat


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = dict.fromkeys([*now, *before])
    return ", ".join(name for name in names if before.get(name) != now.get(name))


def _checksums(recipe: Recipe) -> dict[str, str]:
    """The checksums of all files and directories that the recipe names and that exist."""
    return {
        str(path): _checksum_of(path) for path in dict.fromkeys(_named(recipe)) if path.exists()
    }


def _named(recipe: Recipe) -> Iterator[Path]:
    yield Path(recipe.model.source)
    for name, value in recipe:
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and name != "output":
                yield path


def _checksum_of(path: Path) -> str:
    if path.is_file():
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    if (path / MANIFEST).is_file():  # It has the checksums of the other files.
        return _checksum_of(path / MANIFEST)
    files = sorted(file for file in path.iterdir() if file.is_file())
    content = "".join(f"{file.name} {_checksum_of(file)}\n" for file in files)
    return hashlib.sha256(content.encode()).hexdigest()


@cache
def _sha256(path: Path, _bytes: int, _modified: int) -> str:
    """The checksum of a file of this size and time, which is read once in a process."""
    return sha256_of(path)
