"""`xunwen eval blend` on a small literature: weights that the rank service takes."""

from pathlib import Path

from typer.testing import CliRunner

from services.rank.blend import read_blend
from tests.training.literature import write_literature
from training.evaluation.cli import app


def test_the_fitted_weights_are_what_rank_reads(models: Path, tmp_path: Path) -> None:
    write_literature(tmp_path)
    output = tmp_path / "blend.json"
    options = {
        "--data-dir": tmp_path,
        "--encoder": models / "encoder",
        "--ranker": models / "ranker",
        "--output": output,
    }
    arguments = [str(part) for option in options.items() for part in option]
    result = CliRunner().invoke(app, ["blend", *arguments])
    assert result.exit_code == 0, result.output
    assert all(weight >= 0 for weight in read_blend(output).coarse)
