"""`xunwen eval blend` on a small literature: weights that the rank service takes."""

from pathlib import Path

import pytest
import typer

from services.rank.blend import read_blend
from tests.training.literature import evaluate
from training.evaluation import blend


def test_the_fitted_weights_are_what_rank_reads(models: Path, tmp_path: Path) -> None:
    output = tmp_path / "blend.json"
    evaluate("blend", models, tmp_path, output=output)
    assert all(weight >= 0 for weight in read_blend(output).coarse)


def test_a_folder_that_is_not_there_is_named_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="no folder"):
        blend.main(output=tmp_path / "absent" / "blend.json")
