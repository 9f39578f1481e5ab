"""Builds each stage from its recipe: reads data, opens the model, makes the objective."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from training.backbone import load_body, masked_language_model
from training.config import InbatchRecipe, PretrainRecipe, RankRecipe, Recipe, SimcseRecipe
from training.data import pairs as pair_data
from training.data.judged import held_to, read_graded, read_ranked
from training.data.pairs import Pair, normal, texts_of
from training.data.readers import read_lines, read_texts, record
from training.evaluation.splits import held_out_query
from training.failures import DataInvalid
from training.networks import load_encoder, load_ranker
from training.objectives.inbatch import (
    InbatchObjective,
    pair_vectors,
    project_to_principal_axes,
)
from training.objectives.pretrain import PretrainObjective
from training.objectives.rank import Form, RankObjective
from training.objectives.simcse import SimcseObjective
from training.tokenization import TextCodec, load_tokenizer

log = logging.getLogger(__name__)

TEXT_FIELDS = ("text", "abstract", "title")

AXES_TEXTS = 2000
"""So many texts decide the principal axes that a projection starts at."""


def held_back(key: str, share: float) -> bool:
    """Whether the examples of `key` validate instead of train; stable under any file order."""
    digest = hashlib.sha1(f"validation {key}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def pretrain_objective(recipe: PretrainRecipe) -> PretrainObjective:
    """Masked words of domain text. Raises TrainingError, as the others do."""
    trained, held = _texts(recipe, recipe.texts, recipe.exclude)
    paddle.seed(recipe.seed)
    body = load_body(recipe.model.source, dropout=recipe.model.dropout, layers=recipe.model.layers)
    codec = _codec(recipe, body.config.pad_token_id)
    network = masked_language_model(body)
    return PretrainObjective(recipe, network, codec, trained, held)


def simcse_objective(recipe: SimcseRecipe) -> SimcseObjective:
    """Two views of one text."""
    trained, held = _texts(recipe, recipe.texts, recipe.exclude)
    paddle.seed(recipe.seed)
    encoder = load_encoder(
        recipe.model.source,
        dropout=recipe.model.dropout,
        layers=recipe.model.layers,
        pooling=recipe.model.pooling,
    )
    codec = _codec(recipe, encoder.body.config.pad_token_id)
    return SimcseObjective(recipe, encoder, codec, trained, held)


def inbatch_objective(recipe: InbatchRecipe) -> InbatchObjective:
    """Pairs of a query and its answer."""
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
    _check(drawn)
    log.info("%d pairs in the first epoch, such as %s", len(drawn), _sample(drawn))
    rng = np.random.default_rng(recipe.seed)
    everything = fixed + pair_data.abstract_pairs(abstracts, rng)
    everything += pair_data.title_pairs(titles, rng)
    validation = [pair for pair in everything if held_back(pair.key, recipe.validation)]
    paddle.seed(recipe.seed)
    encoder = load_encoder(
        recipe.model.source,
        dropout=recipe.model.dropout,
        layers=recipe.model.layers,
        pooling=recipe.model.pooling,
        dimension=recipe.dimension,
    )
    codec = _codec(recipe, encoder.body.config.pad_token_id)
    texts = [drawn[at].title for at in rng.permutation(len(drawn))[:AXES_TEXTS]]
    project_to_principal_axes(encoder, codec, texts, recipe.max_tokens)
    vectors = None
    if recipe.alike:
        stand_ins = {pair.key: pair.title for pair in fixed}
        stand_ins |= {row["id"]: row["abstract"] for row in abstracts}
        stand_ins |= {row["id"]: row["title"] for row in titles}
        log.info("embedding %d texts to find which are alike", len(stand_ins))
        vectors = pair_vectors(encoder, codec, stand_ins, recipe.max_tokens)
    return InbatchObjective(recipe, encoder, codec, source, validation, vectors)


def rank_objective(recipe: RankRecipe) -> RankObjective:
    """Titles judged against each other, by choice or by grade."""
    secret = texts_of(recipe.exclude)
    judged = [each for path in recipe.triples for each in read_ranked(path, Form.PAIRWISE, 3)]
    judged += [each for path in recipe.lists for each in read_ranked(path, Form.LISTWISE, 32)]
    general = [
        each for path in recipe.general_triples for each in read_ranked(path, Form.PAIRWISE, 3)
    ]
    for path in recipe.general_lists:
        general += read_ranked(path, Form.LISTWISE, 32)
    for path in recipe.graded:
        general += read_graded(path, recipe.top_grade)
    judged += [each for each in general if not held_out_query(each.query)]
    judged = held_to(judged, secret)
    held = [held_back(normal(each.query), recipe.validation) for each in judged]
    trained = [each for each, kept in zip(judged, held, strict=True) if not kept]
    validation = [each for each, kept in zip(judged, held, strict=True) if kept]
    _check(trained)
    log.info("%d judgements to train on, %d to validate on", len(trained), len(validation))
    paddle.seed(recipe.seed)
    ranker = load_ranker(
        recipe.model.source,
        dropout=recipe.model.dropout,
        layers=recipe.model.layers,
        joint_layers=recipe.joint_layers,
    )
    codec = _codec(recipe, ranker.body.config.pad_token_id)
    return RankObjective(recipe, ranker, codec, trained, validation)


def _texts(
    recipe: Recipe, paths: Iterable[Path], exclude: Iterable[Path]
) -> tuple[list[str], list[str]]:
    """Texts to train on and to validate on, each once, without those of evaluation papers."""
    secret = texts_of(exclude)
    once = {normal(text): text for path in paths for text in read_texts(path, TEXT_FIELDS)}
    kept = {name: text for name, text in once.items() if name not in secret}
    if len(kept) < len(once):
        log.info("%d texts left out: they are of evaluation papers", len(once) - len(kept))
    trained = [text for name, text in kept.items() if not held_back(name, recipe.validation)]
    held = [text for name, text in kept.items() if held_back(name, recipe.validation)]
    _check(trained)
    log.info("%d texts to train on, %d to validate on", len(trained), len(held))
    return trained, held


def _check(trained: Sequence[object]) -> None:
    """Without this an endless walk over no batches would look like a run that hangs."""
    if not trained:
        raise DataInvalid("nothing is left to train on: see `exclude` and `validation`")


def _training_side(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs whose query the evaluation does not judge by; see `training.evaluation.splits`."""
    return [pair for pair in pairs if not held_out_query(pair.query)]


def _rows(paths: Iterable[Path], name: str, secret: frozenset[str]) -> list[dict[str, Any]]:
    rows = [row for path in paths for row in read_lines(path, record("id", name))[0]]
    kept = [row for row in rows if normal(row[name]) not in secret]
    if len(kept) < len(rows):
        log.info("%d rows left out: they are evaluation papers", len(rows) - len(kept))
    return kept


def _codec(recipe: Recipe, pad_id: int) -> TextCodec:
    return TextCodec(load_tokenizer(recipe.model.source), pad_id)


def _sample(pairs: Sequence[Pair]) -> str:
    shown = {pair.group: f"{pair.query[:30]} -> {pair.title[:30]}" for pair in pairs}
    return "; ".join(f"{group}: {text}" for group, text in sorted(shown.items()))
