"""A command that computes for long says before it begins that it cannot write its result."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.literature import write_literature
from training.cli import evaluate, mine, predict

_APPS = {"eval": evaluate.app, "mine": mine.app, "predict": predict.app}


@pytest.mark.parametrize(
    "command",
    [
        "mine PAIRS TARGET --encoder none",
        "predict vectors PAIRS TARGET --encoder none",
        "eval own PAIRS --corpus PAIRS --encoder none --save TARGET",
        "eval own PAIRS --corpus PAIRS --encoder none --report TARGET",
        "eval offline --data-dir DATA --encoder none --json-file TARGET",
        "eval offline --data-dir DATA --encoder none --report TARGET",
        "eval offline --data-dir DATA --encoder none --tasks keywords_to_title --save FOLDER",
        "eval online --data-dir DATA --gateway http://127.0.0.1:1 --json-file TARGET",
        "eval blend --data-dir DATA --encoder none --output TARGET",
    ],
)
def test_a_result_that_cannot_be_written_ends_the_command_first(
    command: str, tmp_path: Path
) -> None:
    """The model or the system is missing too, and would be named if it were looked for first."""
    data, folder = tmp_path / "data", tmp_path / "folder"
    data.mkdir()
    write_literature(data)
    target = folder / "keywords_to_title.json"
    target.mkdir(parents=True)
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("国有\t国有企业\n", "utf-8")
    places = {"PAIRS": pairs, "TARGET": target, "FOLDER": folder, "DATA": data}
    name, *words = command.split()
    result = CliRunner().invoke(_APPS[name], [str(places.get(word, word)) for word in words])
    assert result.exit_code == 1, result.exception
    said = "".join(result.stderr.replace("│", " ").split())
    assert "Isadirectory" in said
    assert "none" not in said
