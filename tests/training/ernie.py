"""A tiny ERNIE in the two forms of directory that training starts from."""

import warnings
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tests.training.literature import write_literature

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # both warn at import
    import paddle
    from paddlenlp.transformers import ErnieConfig, ErnieModel

__all__ = ["MASK", "PAD", "paddle"]

PAD, MASK = 1, 4
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def tiny_ernie(directory: Path, *, public: bool = False) -> Path:
    """2 layers of 32, a token a character; `public`: with `vocab.txt`, as ERNIE's models are."""
    directory.mkdir(parents=True, exist_ok=True)
    characters = sorted(_characters(directory))
    if public:
        words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *characters]
        (directory / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    else:
        vocabulary = {token: row for row, token in enumerate([*_SPECIAL, *characters])}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        tokenizer.add_special_tokens(_SPECIAL)
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B:0 </s>:0",
            special_tokens=[("<s>", 0), ("</s>", 2)],
        )
        tokenizer.save(str(directory / "tokenizer.json"))
    paddle.seed(7)
    config = ErnieConfig(
        vocab_size=len(characters) + 5,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        pad_token_id=0 if public else PAD,
    )
    ErnieModel(config).save_pretrained(str(directory))
    return directory


def _characters(scratch: Path) -> set[str]:
    folder = scratch / "text"
    folder.mkdir()
    write_literature(folder)
    text = "".join(path.read_text("utf-8") for path in folder.iterdir())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return {character for character in text if not character.isspace()}
