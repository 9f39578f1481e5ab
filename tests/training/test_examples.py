"""The scripts of examples/, from end to end with what ships; minutes each."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paddlenlp.transformers import ErnieGramConfig, ErnieGramModel

from training.data.texts import read_rows

pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).parents[2]
_SECONDS = 30 * 60


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the examples, the data and the models, whose runs/ is its own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("data", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def _run(checkout: Path, script: str, *arguments: str, **variables: str) -> str:
    xunwen = str(Path(sys.executable).with_name("xunwen"))
    began = time.monotonic()
    ran = subprocess.run(
        [str(checkout / "examples" / script), *arguments],
        env={**os.environ, "XUNWEN": xunwen, **variables},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    print(f"{script}: {time.monotonic() - began:.0f} s")
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout


def test_the_demonstration_ends_with_a_model_and_a_comparison(checkout: Path) -> None:
    printed = _run(checkout, "demonstration.sh")
    run = checkout / "runs" / "demonstration"
    assert (run / "model" / "manifest.json").is_file()
    assert "Worst losses" in (run / "report.html").read_text("utf-8") or "| dense |" in printed
    assert "| dense | MRR@10 |" in printed
    assert "XUNWEN_ENCODER=runs/demonstration/model" in printed


def _ernie_gram(folder: Path) -> Path:
    """A small ERNIE-Gram with random weights, as `ernie-gram-zh` lies on a disk."""
    folder.mkdir()
    titles = read_rows([ROOT / "data" / "literature_titles.jsonl"], "title", frozenset())
    characters = sorted({letter for row in titles for letter in row["title"] if letter.strip()})
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *characters]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    sizes = {"hidden_size": 64, "embedding_size": 64, "intermediate_size": 256}
    config = ErnieGramConfig(
        vocab_size=len(words), num_hidden_layers=2, num_attention_heads=4, **sizes
    )
    ErnieGramModel(config).save_pretrained(str(folder))
    return folder


def test_the_whole_chain_ends_in_a_search(checkout: Path, tmp_path: Path) -> None:
    gram = _ernie_gram(tmp_path / "ernie-gram")
    printed = _run(checkout, "chain.sh", ERNIE_GRAM=str(gram), QUERY="国有企业改革")
    run = checkout / "runs" / "chain"
    for stage in ("pretrain", "simcse", "inbatch", "ranker"):
        assert (run / stage / "best" / "config.json").is_file(), stage
    assert json.loads((run / "ranker" / "best" / "head.json").read_text())["pooling"] == "pooler"
    assert "8,000 documents in titles, 0 rejected" in printed
    assert "国有企业" in printed.partition("==> 7 search")[2]
