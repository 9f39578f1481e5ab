"""docs/click-log.md as a whole, its training too, with a network small enough for that."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, RUN, blocks, missing
from tests.docs.running import run
from tests.stack import Stack

# paddlenlp warns when it is imported.
pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore")]


def test_from_the_log_to_the_model(stack: Stack, tmp_path: Path) -> None:
    _tiny_network(tmp_path / "starter")
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    for block in blocks(ROOT / "docs" / "click-log.md"):
        if block.language not in RUN or block.tested_by:
            continue
        block.code = block.code.replace("steps: 300", "steps: 4")
        ran = run(block, stack, tmp_path)
        print(f"--- {block}\n{ran.stdout}{ran.stderr}")
        assert ran.returncode == 0, f"{block} ended with {ran.returncode}"
        assert not missing(block.output, ran.stdout)
    assert (tmp_path / "click-ranker" / "manifest.json").is_file()


def _tiny_network(directory: Path) -> None:
    """Random weights behind the shipped tokenizer, in the form of the starter."""
    from paddlenlp.transformers import ErnieConfig, ErnieModel
    from tokenizers import Tokenizer

    shipped = ROOT / "models" / "literature-encoder" / "tokenizer.json"
    size = Tokenizer.from_file(str(shipped)).get_vocab_size()
    config = ErnieConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        type_vocab_size=4,
        pad_token_id=1,
    )
    ErnieModel(config).save_pretrained(str(directory))
    (directory / "tokenizer.json").write_bytes(shipped.read_bytes())
