"""Encoder and ranker on tiny real model directories."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from services.common.engine import (
    BatchedEncoder,
    Encoder,
    PredictorOptions,
    Ranker,
    batched_encoder,
    batched_ranker,
    open_encoder,
    open_ranker,
)
from services.common.errors import ModelInvalid
from services.common.request_context import Deadline
from tests.models import DIMENSION, tiny_encoder, tiny_ranker

_TEXTS = ["中西方语言与文化的差异", "企业", "", "国有资本" * 40, "a b", "创新绩效的影响"] * 30


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    directory = tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")
    return open_encoder(directory, PredictorOptions(threads=1, precision="fp32"))


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    directory = tiny_ranker(tmp_path_factory.mktemp("models") / "ranker")
    return open_ranker(directory, PredictorOptions(threads=1, precision="fp32"))


@pytest.fixture
async def batched(encoder: Encoder) -> AsyncIterator[BatchedEncoder]:
    async with batched_encoder(encoder) as shared:
        yield shared


def test_batching_does_not_change_vectors(encoder: Encoder) -> None:
    together = encoder.encode(_TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in _TEXTS[:6]])
    assert together.shape == (len(_TEXTS), DIMENSION)
    np.testing.assert_allclose(together[:6], alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder, ranker: Ranker) -> None:
    assert encoder.encode([]).shape == (0, DIMENSION)
    assert ranker.score("企业", []).shape == (0,)


def test_long_texts_are_cut_to_what_the_model_reads(encoder: Encoder) -> None:
    (tokens,) = encoder.document_tokens(["语" * 100_000])
    assert len(tokens) == encoder.manifest.max_tokens
    assert tokens.ids[-1] == 2
    (query,) = encoder.query_tokens(["语" * 2_000])
    assert len(query) == encoder.manifest.query_max_tokens


def test_a_long_query_leaves_room_for_the_text(ranker: Ranker) -> None:
    (pair,) = ranker.pair_tokens("语" * 1_000, ["文" * 1_000])
    assert len(pair) == ranker.manifest.max_tokens
    assert len(set(pair.ids)) == 4


async def test_shared_vectors_are_the_same(batched: BatchedEncoder, encoder: Encoder) -> None:
    results = await asyncio.gather(*(batched.encode_queries([text]) for text in _TEXTS))
    expected = encoder.encode_queries(_TEXTS)
    np.testing.assert_allclose(
        np.concatenate([vectors for vectors, _ in results]), expected, atol=1e-6
    )
    vectors, tokens = await batched.encode(_TEXTS)
    np.testing.assert_allclose(vectors, encoder.encode(_TEXTS), atol=1e-6)
    assert tokens == sum(len(each) for each in encoder.document_tokens(_TEXTS))


async def test_ranker_scores_all_with_time_and_the_best_first_without(ranker: Ranker) -> None:
    async with batched_ranker(ranker) as shared:
        expected = ranker.score("企业", _TEXTS)
        logits, _ = await shared.score("企业", _TEXTS)
        np.testing.assert_allclose(logits, expected, atol=1e-6)
        in_time = await shared.score_in_time("企业", _TEXTS, Deadline.after(30))
        np.testing.assert_allclose(in_time, expected, atol=1e-6)
        late = await shared.score_in_time("企业", _TEXTS, Deadline.after(0))
        assert np.isnan(late).all()
        assert (await shared.score_in_time("企业", [], None)).shape == (0,)


def test_a_model_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    directory = tiny_ranker(tmp_path / "model")
    with pytest.raises(ModelInvalid, match="kind ranker, not encoder"):
        open_encoder(directory)


def test_damaged_models_are_refused_in_words(tmp_path: Path) -> None:
    directory = tiny_encoder(tmp_path / "model")
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelInvalid, match=r"tokenizer\.json"):
        open_encoder(directory)
    with pytest.raises(ModelInvalid, match=r"manifest\.json"):
        open_encoder(tmp_path / "nowhere")
