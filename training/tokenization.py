"""Text to token ids, by the same `tokenizer.json` that serving uses."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

TOKENIZER_FILE = "tokenizer.json"
Ids = list[int]
IdArray = npt.NDArray[np.int64]


def load_tokenizer(source: str | Path) -> Tokenizer:
    """The tokenizer of a model directory or of a model that paddlenlp knows by name.

    A directory has `tokenizer.json`, or `vocab.txt` as ERNIE's public models do.
    """
    directory = Path(source)
    if (directory / TOKENIZER_FILE).is_file():
        tokenizer = Tokenizer.from_file(str(directory / TOKENIZER_FILE))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    if (directory / "vocab.txt").is_file():
        return word_piece(directory / "vocab.txt")
    if directory.is_dir():
        raise FileNotFoundError(f"{source} has neither {TOKENIZER_FILE} nor vocab.txt")
    from paddlenlp.transformers import ErnieTokenizer  # slow to import, and needed by name only

    with TemporaryDirectory() as folder:
        ErnieTokenizer.from_pretrained(str(source)).save_vocabulary(folder)
        return word_piece(Path(folder) / "vocab.txt")


def word_piece(vocabulary: Path) -> Tokenizer:
    """What ErnieTokenizer does with this `vocab.txt`, as a `tokenizers` pipeline."""
    words = vocabulary.read_text(encoding="utf-8").splitlines()
    ids = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.add_special_tokens([token for token in special if token in ids])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return tokenizer


def separator_id(tokenizer: Tokenizer) -> int:
    """The token that ends a text. Raises ValueError when the tokenizer has none known."""
    for name in ("</s>", "[SEP]"):
        found = tokenizer.token_to_id(name)
        if found is not None:
            return int(found)
    raise ValueError("the tokenizer has neither </s> nor [SEP]")


def save_tokenizer(tokenizer: Tokenizer, source: str | Path, directory: Path) -> None:
    """`tokenizer.json` in `directory`; byte for byte the source's own where it has one."""
    own = Path(source) / TOKENIZER_FILE
    if own.is_file():
        shutil.copyfile(own, directory / TOKENIZER_FILE)
    else:
        tokenizer.save(str(directory / TOKENIZER_FILE))


class TextCodec:
    """Token ids of texts and pairs, cut to a length and padded to a batch's longest."""

    def __init__(self, tokenizer: Tokenizer, pad_id: int) -> None:
        self.tokenizer = tokenizer
        self.pad_id = pad_id
        ids = [tokenizer.token_to_id(name) for name in ("<mask>", "[MASK]")]
        self.mask_id: int | None = next((found for found in ids if found is not None), None)

    def texts(self, texts: Sequence[str], max_tokens: int) -> list[tuple[Ids, Ids]]:
        """(input ids, token type ids) of each text with its special tokens."""
        self.tokenizer.enable_truncation(max_tokens)
        encoded = self.tokenizer.encode_batch_fast(list(texts))
        self.tokenizer.no_truncation()
        return [(item.ids, item.type_ids) for item in encoded]

    def pairs(self, pairs: Sequence[tuple[str, str]], max_tokens: int) -> list[tuple[Ids, Ids]]:
        """(input ids, token type ids) of each pair; the longer side is cut first."""
        self.tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        encoded = self.tokenizer.encode_batch_fast([tuple(pair) for pair in pairs])
        self.tokenizer.no_truncation()
        return [(item.ids, item.type_ids) for item in encoded]

    def batch(self, items: Sequence[tuple[Ids, Ids]]) -> tuple[IdArray, IdArray]:
        """Two int64 [batch, longest] arrays."""
        longest = max(len(ids) for ids, _ in items)
        input_ids = np.full((len(items), longest), self.pad_id, dtype=np.int64)
        type_ids = np.zeros((len(items), longest), dtype=np.int64)
        for row, (ids, types) in enumerate(items):
            input_ids[row, : len(ids)] = ids
            type_ids[row, : len(types)] = types
        return input_ids, type_ids
