"""Log lines: which are written at which level."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from services.common.telemetry.logs import configure_logs
from services.indexer.intake.citations.bibtex import entries


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    names = (None, "services", "__main__")
    handlers = logging.root.handlers[:]
    levels = [logging.getLogger(name).level for name in names]
    yield
    logging.root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("DEBUG", ["own DEBUG", "own INFO", "library INFO", "own ERROR", "library ERROR"]),
        ("INFO", ["own INFO", "library INFO", "own ERROR", "library ERROR"]),
        ("ERROR", ["own ERROR", "library ERROR"]),
    ],
)
def test_libraries_write_no_lines_for_developers(
    level: str, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """botocore's show headers with the signatures of requests to the object store."""
    configure_logs("indexer", level)
    for name in ("DEBUG", "INFO", "ERROR"):
        number = logging.getLevelNamesMapping()[name]
        logging.getLogger("services.indexer.worker").log(number, "own %s", name)
        logging.getLogger("botocore.auth").log(number, "library %s", name)
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == written


@pytest.mark.parametrize("title", ["甲", r"\frac", r"\begin{x}"])
def test_a_damaged_entry_of_bibtex_is_no_line_of_the_log(
    title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is among the errors of its job, of which there may be a million."""
    configure_logs("worker", "INFO")
    text = f"@misc{{a, title={{{title}}}}}\n@misc{{b, title={{乙\n"
    found = list(entries(io.BytesIO(text.encode())))
    assert [record.problem == "" for record in found] == [True, False]
    assert capsys.readouterr().err == ""
