"""`xunwen eval blend` on a small literature: weights that the rank service takes."""

from pathlib import Path

from services.rank.blend import read_blend
from tests.training.literature import evaluate


def test_the_fitted_weights_are_what_rank_reads(models: Path, tmp_path: Path) -> None:
    output = tmp_path / "blend.json"
    evaluate("blend", models, tmp_path, output=output)
    assert all(weight >= 0 for weight in read_blend(output).coarse)
