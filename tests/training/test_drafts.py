"""A model directory is replaced as a whole, whatever happens meanwhile."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common.model_dir import MANIFEST
from training.export.directory import draft_of

FILES = ("inference.pdmodel", "inference.pdiparams", MANIFEST, "tokenizer.json")
Seen = dict[str, str]


def content(directory: Path) -> Seen:
    """The files of a directory with their texts; empty if it is not there."""
    return {path.name: path.read_text() for path in directory.glob("*") if path.is_file()}


_looking: list[Callable[[], None]] = []


def _look(event: str, _: object) -> None:
    if _looking and event.startswith(("open", "os.", "shutil.")):
        look = _looking.pop()  # Looking makes events of its own.
        look()
        _looking.append(look)


sys.addaudithook(_look)


@contextmanager
def watched(directory: Path) -> Iterator[list[Seen]]:
    """All states of a directory while the block runs."""
    states: list[Seen] = []

    def look() -> None:
        if (now := content(directory)) not in states:
            states.append(now)

    _looking.append(look)
    try:
        yield states
    finally:
        _looking.clear()
        look()


def write(directory: Path, version: str) -> Seen:
    for name in FILES:
        (directory / name).write_text(version)
    return dict.fromkeys(FILES, version)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A directory with an earlier model, an earlier form of it, and a text of its owner."""
    directory = tmp_path / "model"
    directory.mkdir(mode=0o750)
    write(directory, "old")
    (directory / "README.md").write_text("mine")
    return directory


def test_no_mixture_of_two_models_is_ever_there(served: Path) -> None:
    mine = {"README.md": "mine"}
    with watched(served) as states, draft_of(served) as draft:
        new = write(draft, "new") | mine
    old = dict.fromkeys(FILES, "old") | mine
    assert [state for state in states if state] == [old, new]
    assert served.stat().st_mode & 0o777 == 0o750
    assert [each.name for each in served.parent.iterdir()] == [served.name]


def test_a_mounted_directory_is_no_model_while_it_is_written(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be renamed."""
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == served)
    with watched(served) as states, draft_of(served) as draft:
        new = write(draft, "new")
    of_models = [set(map(state.get, FILES)) for state in states if MANIFEST in state]
    assert of_models == [{"old"}, {"new"}]
    assert content(served) == new | {"README.md": "mine"}


def test_what_cannot_be_replaced_stays(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, rename = content(served), Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target == served and "before" not in path.name:
            raise OSError("the disk says no")
        return rename(path, target)

    def export() -> None:
        with draft_of(served) as draft:
            write(draft, "new")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(OSError, match="says no"):
            export()
    assert content(served) == before


def test_the_first_model_of_a_directory(tmp_path: Path) -> None:
    for directory in (tmp_path / "one" / "model", tmp_path):
        with draft_of(directory) as draft:
            new = write(draft, "new")
        assert content(directory) == new
