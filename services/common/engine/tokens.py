"""From text to token sequences, and from sequences to the padded arrays that a program reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from services.common.errors import ModelInvalid

IntArray = npt.NDArray[np.int64]

_LONGEST_TOKEN_CHARS = 24
"""Characters beyond this many per token cannot reach the model; not tokenizing them bounds
the cost of a very long text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sequence as the model reads it, special tokens included."""

    ids: list[int]
    types: list[int]

    def __len__(self) -> int:
        return len(self.ids)


class TextTokenizer:
    """A tokenizer with one length limit. Thread-safe."""

    def __init__(self, file: Path, max_tokens: int) -> None:
        """Raises ModelInvalid when the file is not a tokenizer of the `tokenizers` library."""
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:
            raise ModelInvalid(f"{file.parent.name}: {file.name} cannot be read") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        self._max_chars = max_tokens * _LONGEST_TOKEN_CHARS

    def singles(self, texts: Sequence[str]) -> list[Tokens]:
        """Each text as its own sequence."""
        return _tokens(
            self._tokenizer.encode_batch_fast([text[: self._max_chars] for text in texts])
        )

    def pairs(self, left: str, rights: Sequence[str]) -> list[Tokens]:
        """`left` with each of `rights`; the longer side gives way when both do not fit."""
        left = left[: self._max_chars]
        inputs = [(left, right[: self._max_chars]) for right in rights]
        return _tokens(self._tokenizer.encode_batch_fast(inputs))


def _tokens(encodings: Sequence[Encoding]) -> list[Tokens]:
    return [Tokens(encoding.ids, encoding.type_ids) for encoding in encodings]


def pad(batch: Sequence[Tokens], pad_id: int, columns: int) -> tuple[IntArray, IntArray]:
    """Ids and token types, each int64 [rows, columns], padded on the right."""
    ids = np.full((len(batch), columns), pad_id, dtype=np.int64)
    types = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens.ids
        types[row, : len(tokens)] = tokens.types
    return ids, types
