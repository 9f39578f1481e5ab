"""Turns text into token ids, by the same `tokenizer.json` that serving uses."""

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

from services.common.model_dir import Normalisation
from training.failures import ModelUnknown
from training.networks.json_file import read_object
from training.networks.prefixes import NO_PREFIXES, Prefixes

TOKENIZER_FILE = "tokenizer.json"
NORMALISATION = Normalisation()
"""The normal form that models are trained on; export writes it into the manifest."""
Sequenced = tuple[list[int], list[int]]
"""Token ids and token types of one sequence."""
IdArray = npt.NDArray[np.int64]


def load_tokenizer(source: str | Path) -> Tokenizer:
    """The tokenizer of a directory, or of a model that paddlenlp knows by name.

    A directory has `tokenizer.json`, or `vocab.txt` as ERNIE's public models do. Raises
    FileNotFoundError, ModelUnknown.
    """
    directory = Path(source)
    if (directory / TOKENIZER_FILE).is_file():
        try:
            tokenizer = Tokenizer.from_file(str(directory / TOKENIZER_FILE))
        except Exception as error:  # tokenizers has no class of its own
            raise ModelUnknown(f"{directory / TOKENIZER_FILE} is no tokenizer: {error}") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    if (directory / "vocab.txt").is_file():
        return word_piece(directory / "vocab.txt", lower_case=_lower_case(directory))
    if directory.is_dir():
        raise FileNotFoundError(f"{source} has neither {TOKENIZER_FILE} nor vocab.txt")
    # These modules are slow to import, so they are imported only here.
    from paddlenlp.transformers import ErnieGramTokenizer, ErnieTokenizer

    gram = str(source) in ErnieGramTokenizer.pretrained_init_configuration
    family = ErnieGramTokenizer if gram else ErnieTokenizer
    with TemporaryDirectory() as folder:
        family.from_pretrained(str(source)).save_vocabulary(folder)
        return word_piece(Path(folder) / "vocab.txt")


def _lower_case(directory: Path) -> bool:
    """Whether the tokenizer of a `vocab.txt` makes letters small, as `tokenizer_config.json` notes;
    without a note it does. Raises ModelUnknown."""
    settings = read_object(directory / "tokenizer_config.json") or {}
    return bool(settings.get("do_lower_case", True))


def word_piece(vocabulary: Path, *, lower_case: bool = True) -> Tokenizer:
    """The tokenizer of a `vocab.txt`, which cuts text as paddlenlp's ErnieTokenizer does.

    Raises ModelUnknown.
    """
    # Only a line break ends a word: a vocabulary may hold other separators, such as U+2028, and a
    # word more or less would give all words after it the vectors of their neighbours.
    words = vocabulary.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    ids = {word: index for index, word in enumerate(words)}
    if missing := [token for token in ("[UNK]", "[CLS]", "[SEP]") if token not in ids]:
        raise ModelUnknown(
            f"{vocabulary} lacks {', '.join(missing)}; it must hold BERT's tokens, one a line"
        )
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(lowercase=lower_case)
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
    """The id of the token that ends a text. Raises ModelUnknown if there is neither </s> nor
    [SEP]."""
    for name in ("</s>", "[SEP]"):
        found = tokenizer.token_to_id(name)
        if found is not None:
            return int(found)
    raise ModelUnknown("the tokenizer has neither </s> nor [SEP]")


def save_tokenizer(tokenizer: Tokenizer, source: str | Path, directory: Path) -> None:
    """Writes `tokenizer.json` to `directory`, byte for byte the source's own if it has one."""
    own = Path(source) / TOKENIZER_FILE
    if own.is_file():
        shutil.copyfile(own, directory / TOKENIZER_FILE)
    else:
        tokenizer.save(str(directory / TOKENIZER_FILE))


class TextCodec:
    """Token ids of texts and pairs, cut to a length and padded to a batch's longest.

    Texts are read as the services read them: in normal form, behind the prefixes that the network
    is trained with.
    """

    def __init__(self, tokenizer: Tokenizer, pad_id: int, prefixes: Prefixes = NO_PREFIXES) -> None:
        self.tokenizer = tokenizer
        self.pad_id = pad_id
        self.prefixes = prefixes
        ids = [tokenizer.token_to_id(name) for name in ("<mask>", "[MASK]")]
        self.mask_id: int | None = next((found for found in ids if found is not None), None)

    def queries(self, queries: Sequence[str], max_tokens: int) -> list[Sequenced]:
        """(input ids, token type ids) of each query behind its prefix, special tokens included."""
        return self._encoded([self._query(query) for query in queries], max_tokens)

    def documents(self, texts: Sequence[str], max_tokens: int) -> list[Sequenced]:
        """(input ids, token type ids) of each document, behind the prefix of documents."""
        return self._encoded([self._document(text) for text in texts], max_tokens)

    def pairs(self, pairs: Sequence[tuple[str, str]], max_tokens: int) -> list[Sequenced]:
        """(input ids, token type ids) of each (query, document); the longer side is cut first."""
        return self._encoded(
            [(self._query(query), self._document(text)) for query, text in pairs], max_tokens
        )

    def batch(self, items: Sequence[Sequenced]) -> tuple[IdArray, IdArray]:
        """Two int64 [batch, longest] arrays: token ids and token types."""
        longest = max(len(ids) for ids, _ in items)
        input_ids = np.full((len(items), longest), self.pad_id, dtype=np.int64)
        type_ids = np.zeros((len(items), longest), dtype=np.int64)
        for row, (ids, types) in enumerate(items):
            input_ids[row, : len(ids)] = ids
            type_ids[row, : len(types)] = types
        return input_ids, type_ids

    def normal(self, text: str) -> str:
        """The normal form of a text; the line break at the end of a title stays."""
        title, line_break, rest = text.partition("\n")
        return NORMALISATION(title) + line_break + NORMALISATION(rest)

    def _query(self, query: str) -> str:
        return self.prefixes.query + NORMALISATION(query)

    def _document(self, text: str) -> str:
        return self.prefixes.document + self.normal(text)

    def _encoded(
        self, inputs: Sequence[str] | Sequence[tuple[str, str]], max_tokens: int
    ) -> list[Sequenced]:
        self.tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        encoded = self.tokenizer.encode_batch_fast(inputs)
        self.tokenizer.no_truncation()
        return [(item.ids, item.type_ids) for item in encoded]
