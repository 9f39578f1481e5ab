"""Files that commands write at their end are whole, whatever happens meanwhile."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.engine import PredictorOptions, open_encoder
from training import durable
from training.cli.outcomes import write_figures
from training.data.mining import write_lists
from training.evaluation.comparison import SavedRun, save_run
from training.evaluation.page import write_page
from training.evaluation.tasks import Corpus
from training.evaluation.vectors import document_vectors
from training.extract.matrix import write_matrix
from training.targets import check_target

Write = Callable[[Path], object]

_CORPUS = Corpus(("a", "b"), ("国有企业", "水稻"), ("", ""))
_BLOCK = np.ones((2, 3), np.float32)
_WRITERS: dict[str, Write] = {
    "text": lambda path: durable.write(path, "new\n"),
    "figures": lambda path: write_figures(path, {"R@1": 0.5}),
    "page": lambda path: write_page(path, []),
    "run": lambda path: save_run(path, SavedRun({}, {})),
    "lists": lambda path: write_lists(path, [("query", "answer", "negative")]),
    "matrix": lambda path: write_matrix(path, [_BLOCK], 3),
}


@pytest.mark.parametrize("name", _WRITERS)
def test_a_full_disk_leaves_the_file_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    target.write_text("before", "utf-8")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _WRITERS[name](target)
    assert target.read_text("utf-8") == "before"
    assert [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize("name", [*_WRITERS, "cache"])
def test_two_that_write_one_file_at_once_both_end(
    name: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one begins and ends at the moment in which the first puts its file in place."""
    encoder = open_encoder(models / "encoder", PredictorOptions(threads=1, precision="fp32"))
    writers: dict[str, Write] = _WRITERS | {
        "cache": lambda path: document_vectors(_CORPUS, encoder, path.parent)
    }
    target = tmp_path / "file"
    replaced = Path.replace
    begun = False

    def overtaken(draft: Path, place: Any) -> Path:
        nonlocal begun
        if not begun:
            begun = True
            writers[name](target)
        return replaced(draft, place)

    monkeypatch.setattr(Path, "replace", overtaken)
    writers[name](target)
    assert begun
    (written,) = tmp_path.iterdir()
    assert written.stat().st_size


def test_what_a_kill_left_is_removed_by_the_next_writer_that_is_alone(tmp_path: Path) -> None:
    (tmp_path / ".file.partial").write_bytes(b"half")
    durable.replace(tmp_path / "file", lambda stream: stream.write(b"whole"), alone=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    link, there = tmp_path / "latest.json", tmp_path / "there.json"
    there.write_text("before", "utf-8")
    link.symlink_to(there)
    durable.write(link, "after")
    assert (link.is_symlink(), there.read_text("utf-8")) == (True, "after")
    durable.write(Path(os.devnull), "gone")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_takes_no_files_is_found_before_the_work(
    exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run.json"
    if exists:
        target.touch()
    monkeypatch.setattr(os, "access", lambda place, _mode: Path(place) != tmp_path)
    with pytest.raises(PermissionError, match=r"run\.json"):
        check_target(target)
