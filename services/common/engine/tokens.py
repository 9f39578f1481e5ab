"""Makes token sequences of texts, and padded arrays, which a program reads, of sequences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from services.common.errors import ModelInvalid
from services.common.model_dir import INPUTS, InputName

IntArray = npt.NDArray[np.int64]

_LONGEST_TOKEN_CHARS = 24
"""Characters per token beyond which a text cannot reach the model. They are not tokenized, which
bounds the cost of a very long text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One sequence as the model reads it, special tokens included."""

    ids: list[int]
    """Numbers of the tokens in the vocabulary."""
    types: list[int]
    """Segment of each token: 0, or 1 where the tokenizer tells the sides of a pair apart."""

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
        """One sequence for each text."""
        return _tokens(
            self._tokenizer.encode_batch_fast([text[: self._max_chars] for text in texts])
        )

    def pairs(self, left: str, rights: Sequence[str]) -> list[Tokens]:
        """Sequences of `left` with each of `rights`; the longer side is cut until both fit."""
        left = left[: self._max_chars]
        inputs = [(left, right[: self._max_chars]) for right in rights]
        return _tokens(self._tokenizer.encode_batch_fast(inputs))


def _tokens(encodings: Sequence[Encoding]) -> list[Tokens]:
    return [Tokens(encoding.ids, encoding.type_ids) for encoding in encodings]


def pad(
    batch: Sequence[Tokens], pad_id: int, columns: int, inputs: Sequence[InputName] = INPUTS
) -> tuple[IntArray, ...]:
    """The named inputs of a program, each int64 [rows, columns], padded on the right."""
    return tuple(_INPUTS[name](batch, pad_id, columns) for name in inputs)


def _ids(batch: Sequence[Tokens], pad_id: int, columns: int) -> IntArray:
    ids = np.full((len(batch), columns), pad_id, dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens.ids
    return ids


def _types(batch: Sequence[Tokens], _pad_id: int, columns: int) -> IntArray:
    types = np.zeros((len(batch), columns), dtype=np.int64)
    for row, tokens in enumerate(batch):
        types[row, : len(tokens)] = tokens.types
    return types


def _mask(batch: Sequence[Tokens], _pad_id: int, columns: int) -> IntArray:
    mask = np.zeros((len(batch), columns), dtype=np.int64)
    for row, tokens in enumerate(batch):
        mask[row, : len(tokens)] = 1
    return mask


def _positions(batch: Sequence[Tokens], _pad_id: int, columns: int) -> IntArray:
    return np.tile(np.arange(columns, dtype=np.int64), (len(batch), 1))


_INPUTS: dict[InputName, Callable[[Sequence[Tokens], int, int], IntArray]] = {
    "input_ids": _ids,
    "token_type_ids": _types,
    "attention_mask": _mask,
    "position_ids": _positions,
}
