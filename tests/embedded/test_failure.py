"""The reason why a part does not start, found in its own log."""

import subprocess
import sys

import pytest

from xunwen.embedded.failure import last_line, start_failure
from xunwen.embedded.parts import Part, parts
from xunwen.embedded.settings import EmbeddedSettings

VALKEY = """\
15208:M 24 Nov 2026 04:46:15.176 * Server initialized
15208:M 24 Nov 2026 04:46:15.176 # Invalid AOF manifest file format

"""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("one\ntwo.\n---\n", "two"),
        (VALKEY, "Invalid AOF manifest file format"),
        ('{"level": "ERROR", "message": "no model"}\n', "no model"),
        ("{half a line", "{half a line"),
    ],
)
def test_last_line(log: str, line: str) -> None:
    assert last_line(log) == line


def part_named(name: str, settings: EmbeddedSettings) -> Part:
    return next(part for part in parts(settings) if part.name == name)


def run_to_its_end(part: Part, settings: EmbeddedSettings) -> None:
    with (settings.log_dir / f"{part.name}.log").open("wb") as log:
        subprocess.run(part.argv, stdout=log, stderr=log, timeout=60, check=False)


def test_a_damaged_state_store_is_said_in_one_sentence(settings: EmbeddedSettings) -> None:
    aof = settings.home / "state" / "appendonlydir"
    aof.mkdir()
    (aof / "appendonly.aof.manifest").write_text("garbage\n")
    state = part_named("state", settings)
    run_to_its_end(state, settings)
    said = str(start_failure(state, settings))
    assert "state does not start on" in said
    assert "Invalid AOF manifest file format" in said
    assert "\n" not in said


def test_milvus_on_something_that_is_no_directory(settings: EmbeddedSettings) -> None:
    (settings.home / "milvus").rmdir()
    (settings.home / "milvus").write_text("x")
    milvus = part_named("milvus", settings)
    run_to_its_end(milvus, settings)
    said = str(start_failure(milvus, settings))
    assert "milvus does not start on" in said
    assert "Not a directory" in said


def test_a_full_disk_is_recognised_in_a_log(settings: EmbeddedSettings) -> None:
    state = part_named("state", settings)
    script = "import os, errno; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))"
    filling = Part("state", (sys.executable, "-c", script), None, "process", "server")
    run_to_its_end(filling, settings)
    assert "disk of" in str(start_failure(state, settings))
