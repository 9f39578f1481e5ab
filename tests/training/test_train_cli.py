"""`train` as people start it: a process that is killed is finished by the next, to the bit."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.training.ernie import tiny_ernie
from tests.training.literature import write_literature

# Paddle warns of its own use of NumPy.
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS = 30


def _recipe(folder: Path, output: Path) -> list[str]:
    settings = {
        "output": str(output),
        "model": {"source": str(folder / "ernie"), "dropout": 0.1},
        "steps": STEPS,
        "batch_size": 8,
        "max_tokens": 32,
        "checkpoint_every": 6,
        "log_every": 1,
        "validation": 0.2,
        "validate_every": 10,
        "texts": [str(folder / "literature_papers.jsonl")],
    }
    path = folder / f"{output.name}.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return [sys.executable, "-m", "training.cli.train", "simcse", str(path)]


def _steps(run: Path) -> int:
    log = run / "metrics.csv"
    return log.read_text("utf-8").count("\n") - 1 if log.is_file() else 0


def _losses(run: Path) -> list[str]:
    """Step, loss and validation loss; not the speed."""
    return [
        ",".join(line.split(",")[:3])
        for line in (run / "metrics.csv").read_text("utf-8").splitlines()
    ]


def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    tiny_ernie(tmp_path / "ernie")
    write_literature(tmp_path)
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    done = subprocess.run(
        _recipe(tmp_path, whole), check=True, capture_output=True, text=True, env=one_thread
    )
    assert f"the best network is in {whole / 'best'}" in done.stdout

    command = _recipe(tmp_path, cut)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=one_thread
    ) as process:
        deadline = time.monotonic() + 120
        while _steps(cut) < 14 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
    assert 14 <= _steps(cut) < STEPS, "killed at a moment that shows nothing"
    resumed = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread)
    assert "continuing after step" in resumed.stderr
    assert "continuing after step" in (cut / "train.log").read_text("utf-8")
    assert _losses(cut) == _losses(whole)
    for name in ("best", "last"):
        weights = f"{name}/model_state.pdparams"
        assert (cut / weights).read_bytes() == (whole / weights).read_bytes()
