"""Whole-word masking: all tokens of a jieba word are hidden together, as ERNIE does."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import jieba
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

jieba.setLogLevel(logging.WARNING)

IGNORED = -100
"""Label of a token that is not predicted."""


@dataclass(frozen=True, slots=True)
class Masked:
    input_ids: list[int]
    labels: list[int]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Character ranges of the words of `text`, as jieba cuts them."""
    return [(start, end) for word, start, end in jieba.tokenize(text) if word.strip()]


def words_of_tokens(
    offsets: Sequence[tuple[int, int]], special: Sequence[int], text: str
) -> list[list[int]]:
    """Token positions of each word; a token belongs to the word in which it begins."""
    word_at = np.full(len(text) + 1, -1, dtype=np.int64)
    for index, (start, end) in enumerate(word_spans(text)):
        word_at[start:end] = index
    words: dict[int, list[int]] = {}
    for position, ((start, end), is_special) in enumerate(zip(offsets, special, strict=True)):
        if is_special or start == end:
            continue
        word = int(word_at[start])
        words.setdefault(word if word >= 0 else -2 - position, []).append(position)
    return list(words.values())


def mask_words(
    text: str,
    tokenizer: Tokenizer,
    mask_id: int,
    rate: float,
    max_tokens: int,
    rng: np.random.Generator,
) -> Masked:
    """Hides words until `rate` of the tokens is hidden: 80 % mask, 10 % random, 10 % unchanged."""
    encoded = tokenizer.encode(text)
    encoded.truncate(max_tokens)
    ids = list(encoded.ids)
    labels = [IGNORED] * len(ids)
    words = words_of_tokens(encoded.offsets, encoded.special_tokens_mask, text)
    wanted = max(1, round(rate * sum(map(len, words)))) if words else 0
    hidden = 0
    for index in rng.permutation(len(words)):
        if hidden >= wanted:
            break
        draw = rng.random()
        for position in words[index]:
            labels[position] = ids[position]
            if draw < 0.8:
                ids[position] = mask_id
            elif draw < 0.9:
                ids[position] = int(rng.integers(tokenizer.get_vocab_size()))
            hidden += 1
    return Masked(ids, labels)


def packed(rows: Sequence[Masked], most: int) -> list[Masked]:
    """The rows one after the other in sequences of at most `most` tokens; no row is cut."""
    sequences: list[Masked] = []
    for row in rows:
        if sequences and len(sequences[-1].input_ids) + len(row.input_ids) <= most:
            sequences[-1].input_ids.extend(row.input_ids)
            sequences[-1].labels.extend(row.labels)
        else:
            sequences.append(Masked([*row.input_ids], [*row.labels]))
    return sequences


def padded(rows: Sequence[Masked], pad_id: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Padded input ids and labels, both int64 [batch, longest]."""
    longest = max(len(row.input_ids) for row in rows)
    input_ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    labels = np.full((len(rows), longest), IGNORED, dtype=np.int64)
    for index, row in enumerate(rows):
        input_ids[index, : len(row.input_ids)] = row.input_ids
        labels[index, : len(row.labels)] = row.labels
    return input_ids, labels
