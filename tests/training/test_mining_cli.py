"""`mine`: negatives come from the corpus, near to the query and never its answer."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.models import tiny_encoder
from training.mining_cli import app

# Paddle warns while it traces the tiny model.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_lines_for_training(tmp_path: Path) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("国有\t国有企业\n只有一列\n水稻\t水稻种植\n", "utf-8")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("国家所有\n稻田\n海洋\n山川\n", "utf-8")
    output = tmp_path / "mined" / "mined.tsv"
    options = ["--encoder", encoder, "--corpus", corpus, "--negatives", 2, "--ceiling", 1.0]
    arguments = [str(each) for each in (pairs, output, *options)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in output.read_text("utf-8").splitlines()]
    assert f"{len(lines)} of 2 pairs have negatives" in result.stdout
    assert lines
    texts = {"国家所有", "稻田", "海洋", "山川", "国有企业", "水稻种植"}
    for query, title, *negatives in lines:
        assert (query, title) in {("国有", "国有企业"), ("水稻", "水稻种植")}
        assert len(negatives) == 2
        assert set(negatives) <= texts - {title}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--last", "3", "--negatives", "5"], "raise --last"),
        (["--encoder", "no-such"], "no-such"),
    ],
)
def test_what_cannot_be_is_one_clear_line(options: list[str], message: str, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("国有\t国有企业\n", "utf-8")
    result = CliRunner().invoke(app, [str(pairs), str(tmp_path / "out.tsv"), *options])
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.strip().count("\n") == 0
