"""Builds each stage from its recipe: reads data, opens the model, makes the objective."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from training.config import InbatchRecipe, Recipe
from training.data import pairs as pair_data
from training.data.pairs import Pair, normal, texts_of
from training.data.readers import read_lines, record
from training.evaluation.splits import held_out_query
from training.networks import load_encoder
from training.objectives.inbatch import InbatchObjective, project_to_principal_axes
from training.tokenization import TextCodec, load_tokenizer
from training.trainer import train

log = logging.getLogger(__name__)

AXES_TEXTS = 2000
"""So many texts decide the principal axes that a projection starts at."""


def held_back(key: str, share: float) -> bool:
    """Whether the examples of `key` validate instead of train; stable under any file order."""
    digest = hashlib.sha1(f"validation {key}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def run_inbatch(recipe: InbatchRecipe) -> Path:
    fixed = [pair for path in recipe.pairs for pair in pair_data.read_pairs(path, path.stem)]
    for path in recipe.general_pairs:
        fixed += _training_side(pair_data.read_pairs(path, path.stem))
    secret = texts_of(recipe.exclude)
    abstracts = _rows(recipe.abstracts, "abstract", secret)
    titles = _rows(recipe.titles, "title", secret)
    fixed = [pair for pair in fixed if normal(pair.title) not in secret]

    def source(rng: np.random.Generator) -> list[Pair]:
        made = pair_data.abstract_pairs(abstracts, rng) + pair_data.title_pairs(titles, rng)
        return [pair for pair in fixed + made if not held_back(pair.key, recipe.validation)]

    drawn = source(np.random.default_rng(recipe.seed))
    log.info("%d pairs in the first epoch, such as %s", len(drawn), _sample(drawn))
    rng = np.random.default_rng(recipe.seed)
    everything = fixed + pair_data.abstract_pairs(abstracts, rng)
    everything += pair_data.title_pairs(titles, rng)
    validation = [pair for pair in everything if held_back(pair.key, recipe.validation)]
    codec = _codec(recipe)
    paddle.seed(recipe.seed)
    encoder = load_encoder(
        recipe.model.source,
        dropout=recipe.model.dropout,
        layers=recipe.model.layers,
        pooling=recipe.model.pooling,
        dimension=recipe.dimension,
    )
    codec.pad_id = encoder.body.config.pad_token_id
    texts = [drawn[at].title for at in rng.permutation(len(drawn))[:AXES_TEXTS]]
    project_to_principal_axes(encoder, codec, texts, recipe.max_tokens)
    return train(recipe, InbatchObjective(recipe, encoder, codec, source, validation))


def _training_side(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose query the evaluation does not judge by; see `training.evaluation.splits`."""
    return [pair for pair in pairs if not held_out_query(pair.query)]


def _rows(paths: Iterable[Path], name: str, secret: frozenset[str]) -> list[dict[str, Any]]:
    rows = [row for path in paths for row in read_lines(path, record("id", name))[0]]
    kept = [row for row in rows if normal(row[name]) not in secret]
    if len(kept) < len(rows):
        log.info("%d rows left out: they are evaluation papers", len(rows) - len(kept))
    return kept


def _codec(recipe: Recipe) -> TextCodec:
    return TextCodec(load_tokenizer(recipe.model.source), pad_id=0)


def _sample(pairs: Sequence[Pair]) -> str:
    shown = {pair.group: f"{pair.query[:30]} -> {pair.title[:30]}" for pair in pairs}
    return "; ".join(f"{group}: {text}" for group, text in sorted(shown.items()))
