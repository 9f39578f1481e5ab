"""Encoder and ranker on tiny real model directories."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.engine import (
    BatchedEncoder,
    Encoder,
    PredictorOptions,
    Ranker,
    batched_encoder,
    batched_ranker,
    models,
    open_encoder,
    open_ranker,
)
from services.common.engine.forward import Forward
from services.common.engine.predictor import FloatArray
from services.common.engine.tokens import Tokens
from services.common.errors import ModelInvalid
from services.common.model_dir import ModelManifest, Normalisation, write_manifest
from services.common.model_dir.manifest import Templates, read_manifest
from services.common.request_context import Deadline
from tests.models import DIMENSION, tiny_encoder, tiny_ranker

_TEXTS = ["中西方语言与文化的差异", "企业", "", "国有资本" * 40, "a b", "创新绩效的影响"] * 30


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    directory = tiny_encoder(tmp_path_factory.mktemp("models") / "encoder", paddle=True)
    return open_encoder(directory, PredictorOptions(threads=1, precision="fp32"))


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Ranker:
    directory = tiny_ranker(tmp_path_factory.mktemp("models") / "ranker", paddle=True)
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


def test_tokens_of_few_texts_are_in_memory_at_a_time(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoder.encode(_TEXTS), encoder.encode_queries(_TEXTS)
    sizes: list[int] = []
    many = Forward.many

    def counted(forward: Forward, sequences: Sequence[Tokens]) -> FloatArray:
        sizes.append(len(sequences))
        return many(forward, sequences)

    monkeypatch.setattr(Forward, "many", counted)
    monkeypatch.setattr(models, "_BLOCK", 50, raising=False)
    np.testing.assert_allclose(encoder.encode(_TEXTS), whole[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode_queries(_TEXTS), whole[1], atol=1e-6)
    assert sizes == [50, 50, 50, 30] * 2


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
    directory = tiny_ranker(tmp_path / "model", paddle=True)
    with pytest.raises(ModelInvalid, match="kind ranker, not encoder"):
        open_encoder(directory)


def test_damaged_models_are_refused_in_words(tmp_path: Path) -> None:
    directory = tiny_encoder(tmp_path / "model", paddle=True)
    (directory / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelInvalid, match=r"tokenizer\.json"):
        open_encoder(directory)
    with pytest.raises(ModelInvalid, match=r"manifest\.json"):
        open_encoder(tmp_path / "nowhere")


def with_manifest(directory: Path, **changes: object) -> Path:
    """The model of a directory under a manifest with other members."""
    manifest = read_manifest(directory).model_copy(update={**changes, "fingerprint": ""})
    write_manifest(directory, ModelManifest.model_validate(manifest.model_dump()))
    return directory


@pytest.mark.parametrize("paddle", [False, True], ids=["onnx", "paddle"])
@pytest.mark.parametrize(
    ("kind", "members", "reason"),
    [
        ("encoder", {"dimension": 17}, r"answers \[1, 16\] for one text, .* describes \[1, 17\]"),
        ("encoder", {"kind": "ranker", "dimension": None}, r"describes \[1\]"),
        ("ranker", {"kind": "encoder", "dimension": 16}, r"answers \[1\] for one text"),
        ("encoder", {"inputs": ["input_ids"]}, "does not read input_ids, the inputs of"),
        ("encoder", {"inputs": ["input_ids", "attention_mask"]}, "does not read"),
    ],
)
def test_a_manifest_that_does_not_fit_its_program_is_refused(
    kind: str, members: dict[str, Any], reason: str, paddle: bool, tmp_path: Path
) -> None:
    """A manifest without a fingerprint may have been edited, or be another model's."""
    make = tiny_encoder if kind == "encoder" else tiny_ranker
    directory = make(tmp_path / "model", paddle=paddle)
    content = json.loads((directory / "manifest.json").read_text("utf-8")) | members
    content |= {"calibration": None}
    del content["fingerprint"]
    (directory / "manifest.json").write_text(json.dumps(content), "utf-8")
    opens = open_encoder if content["kind"] == "encoder" else open_ranker
    with pytest.raises(ModelInvalid, match=reason):
        opens(directory, PredictorOptions(threads=1, precision="fp32"))


def test_traditional_and_simplified_forms_are_one_to_a_model_that_normalises(
    tmp_path: Path,
) -> None:
    options = PredictorOptions(threads=1, precision="fp32")
    plain = open_encoder(tiny_encoder(tmp_path / "plain", paddle=True), options)
    directory = with_manifest(
        tiny_encoder(tmp_path / "normal", paddle=True), normalisation=Normalisation()
    )
    normal = open_encoder(directory, options)
    forms = ["漢語與微積分", "汉语与微积分", "汉\u200b语与微积分", "汉语与<i>微积分</i>"]
    assert len({tuple(each.ids) for each in normal.query_tokens(forms)}) == 1
    assert len({tuple(each.ids) for each in plain.query_tokens(forms)}) == len(forms)
    texts = [normal.manifest.document_text(form, form) for form in forms]
    assert len(set(texts)) == 1
    assert normal.manifest.fingerprint != plain.manifest.fingerprint


def test_a_ranker_that_normalises_scores_both_forms_alike(tmp_path: Path) -> None:
    directory = with_manifest(
        tiny_ranker(tmp_path / "ranker", paddle=True), normalisation=Normalisation()
    )
    ranker = open_ranker(directory, PredictorOptions(threads=1, precision="fp32"))
    texts = [ranker.manifest.document_text(title, "") for title in ("漢語語法", "汉语语法")]
    scores = [ranker.score(query, texts) for query in ("漢語", "汉语")]
    assert np.ptp(np.concatenate(scores)) == 0


FIRST_MANIFEST: dict[str, Any] = {
    "format": 1,
    "name": "literature-encoder",
    "kind": "encoder",
    "version": "1.2.1",
    "dimension": 384,
    "max_tokens": 256,
    "query_max_tokens": 128,
    "pooling": "mean",
    "metric": "IP",
    "templates": {"query": "{query}", "document": "{title}\n{text}"},
    "pad_id": 1,
    "precisions": ["fp32", "bf16", "int8"],
    "calibration": None,
    "files": {
        name: {"file": file, "sha256": digest}
        for name, file, digest in (
            (
                "program",
                "inference.pdmodel",
                "dc4544a7c6c6aca2471428179f2d6ef2b4a861dc5a5b38f8b56f70553455398e",
            ),
            (
                "weights",
                "inference.pdiparams",
                "68a6a135ea961c6c65292b3d56a13b19f1aa6c39dea49e023ffdb732b9e8adba",
            ),
            (
                "tokenizer",
                "tokenizer.json",
                "3bf9a499a4f5b5f2f374c9b203fa055fe37067f7f4f054bfefe060651d26a3f5",
            ),
            (
                "int8",
                "inference.int8.onnx",
                "c4c6aed74b27d3897800df30c9f7dc3949276aff1de7fe84518f8a6a52891cb8",
            ),
        )
    },
}
"""The manifest of encoder 1.2.1, which knows neither a normal form nor other inputs."""


def test_a_manifest_of_before_normalisation_keeps_its_fingerprint() -> None:
    """The models that were exported before there was one stay what they are, and so do the
    collections that they filled."""
    manifest = ModelManifest.model_validate(FIRST_MANIFEST)
    assert manifest.fingerprint == "53addf3af091ca5f"
    assert manifest.document_text("漢", "") == "漢"


@pytest.mark.parametrize(
    ("template", "title", "text", "read"),
    [
        ("{title}\n{text}", "题", "文", "题\n文"),
        ("{title}\n{text}", "", "文", "文"),
        ("{title}\n{text}", "题", "", "题"),
        ("passage: {title}\n{text}", "题", "文", "passage: 题\n文"),
        ("passage: {title}\n{text}", "", "文", "passage: 文"),
        ("passage: {title}\n{text}", "题", "", "passage: 题"),
        ("{title}: {text}", "{text}", "{title}", "{text}: {title}"),
    ],
)
def test_a_template_leaves_no_gap_for_an_empty_field(
    encoder: Encoder, template: str, title: str, text: str, read: str
) -> None:
    manifest = encoder.manifest.model_copy(update={"templates": Templates(document=template)})
    assert manifest.document_text(title, text) == read
