"""docs/click-log.md as a whole, its training too, with a network small enough for that."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import xunwen
from services.common.wire.contents import StoredDocument
from tests.docs.blocks import ROOT, RUN, blocks, missing
from tests.docs.running import run
from tests.stack import Stack
from xunwen import ApiError

# paddlenlp warns when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")

_PAGE = ROOT / "docs" / "click-log.md"
_STORED = {
    "a": StoredDocument(id="a", title="水稻\t种植", text="正文"),
    "b": StoredDocument(id="b", title="", text="没有题名\n的文献"),
    "c": StoredDocument(id="c", title="桥梁", text=""),
}


class _Stub:
    """A client of a collection that has lost a document."""

    def __init__(self, _url: str) -> None:
        pass

    def __enter__(self) -> "_Stub":
        return self

    def __exit__(self, *_raised: object) -> None:
        pass

    def search(self, _query: str, **_options: Any) -> SimpleNamespace:
        return SimpleNamespace(hits=[SimpleNamespace(id="c")])

    def get(self, document_id: str, *, collection: str) -> StoredDocument:
        if document_id not in _STORED:
            raise ApiError(404, "document_not_found", f"no {document_id} in {collection}")
        return _STORED[document_id]


def test_a_log_as_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted documents, documents without a title, clicks from elsewhere, signs that end a line
    for some readers, and more clicks than can be compared with each other."""
    clicks = [
        {"query": "种\u2028稻\t田", "shown": ["b", "gone", "a"], "clicked": "a"},
        {"query": "古桥", "shown": ["a", "c"], "clicked": "gone"},
        {"query": "桥", "shown": ["a", "c"], "clicked": "b"},
        *({"query": f"查询{at}", "shown": ["c"], "clicked": "c"} for at in range(50_000)),
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(xunwen, "Client", _Stub)
    Path("clicks.jsonl").write_text(
        "".join(json.dumps(click, ensure_ascii=False) + "\n" for click in clicks), "utf-8"
    )
    for block in blocks(_PAGE):
        if block.language == "python":
            exec(block.code, {})
    pairs = Path("pairs.tsv").read_text("utf-8").split("\n")
    assert pairs[0] == "种 稻 田\t水稻 种植"
    assert Path("triples.tsv").read_text("utf-8") == "种 稻 田\t水稻 种植\t没有题名 的文献\n"
    held_back = Path("held-back.jsonl").read_text("utf-8").count("\n")
    assert len(pairs) - 1 == len(clicks) - 2 - held_back


@pytest.mark.soak
def test_from_the_log_to_the_model(stack: Stack, tmp_path: Path) -> None:
    _tiny_network(tmp_path / "starter")
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    for block in blocks(_PAGE):
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
