"""Losses, masks and mined negatives against cases worked out by hand."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.ernie import MASK, paddle, tiny_ernie
from training.data import blocks
from training.data.masking import IGNORED, mask_words, words_of_tokens
from training.data.mining import (
    MiningOptions,
    hard_negatives,
    mine_ids,
    mine_texts,
    write_lists,
)
from training.data.pairs import Pair
from training.networks.tokenization import load_tokenizer
from training.objectives.contrastive import FAR, contrastive_loss
from training.objectives.rank import graded_loss, listwise_loss, margin_loss
from training.objectives.simcse import CROP_CHARS, crop

# Paddle warns of its own use of NumPy.
pytestmark = pytest.mark.filterwarnings("ignore")


def _tensor(values: object) -> "paddle.Tensor":
    return paddle.to_tensor(np.array(values, dtype=np.float32))


def test_contrastive_loss_with_margin_and_scale() -> None:
    queries, titles = _tensor([[1, 0], [0, 1]]), _tensor([[1, 0], [0.6, 0.8]])
    # Cosines [[1, .6], [0, .8]]; the margin .2 comes off the diagonal; times 10.
    rows = np.array([[8, 6], [0, 6]])
    expected = np.mean([np.log(np.exp(row).sum()) - row[at] for at, row in enumerate(rows)])
    loss = contrastive_loss(queries, titles, ["a", "b"], ["甲", "乙"], margin=0.2, scale=10)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    columns = np.mean([np.log(np.exp(row).sum()) - row[at] for at, row in enumerate(rows.T)])
    both = contrastive_loss(
        queries, titles, ["a", "b"], ["甲", "乙"], margin=0.2, scale=10, symmetric=True
    )
    assert float(both) == pytest.approx((expected + columns) / 2, rel=1e-5)


def test_titles_of_the_same_key_are_no_negatives() -> None:
    queries, titles = _tensor([[1, 0], [1, 0]]), _tensor([[1, 0], [1, 0]])
    assert float(
        contrastive_loss(queries, titles, ["a", "a"], ["甲", "乙"], 0.0, 20)
    ) == pytest.approx(0)
    apart = contrastive_loss(queries, titles, ["a", "b"], ["甲", "乙"], 0.0, 20)
    assert float(apart) == pytest.approx(np.log(2), rel=1e-5)


def test_mined_negatives_count_in_every_row() -> None:
    queries, titles = _tensor([[1, 0]]), _tensor([[1, 0], [0, 1]])
    loss = contrastive_loss(queries, titles, ["a"], ["甲", "乙"], 0.0, 1)
    assert float(loss) == pytest.approx(np.log(np.e + 1) - 1, rel=1e-5)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(
    ("keys", "texts", "wrong"),
    [
        ("abc", ["甲", "乙", "丙"], {0: [1, 2], 1: [0, 2], 2: [0, 1]}),
        ("abc", ["甲。", "甲", "丙"], {0: [2], 1: [2], 2: [0, 1]}),
        ("ab", ["甲", "乙", "甲", "丁"], {0: [1, 3], 1: [0, 2, 3]}),
        # Both texts of the key answer its query, wherever they stand.
        ("aab", ["甲", "乙", "甲", "乙"], {0: [], 1: [], 2: [1, 3]}),
        ("ab", ["?", "!", "…"], {0: [1, 2], 1: [0, 2]}),
    ],
)
def test_a_text_that_answers_is_never_wrong(
    keys: str, texts: list[str], wrong: dict[int, list[int]], symmetric: bool
) -> None:
    rng = np.random.default_rng(3)
    queries, documents = rng.normal(size=(len(keys), 4)), rng.normal(size=(len(texts), 4))
    logits = queries @ documents.T

    def choice(right: float, others: list[float]) -> float:
        return float(np.log(np.exp([right, *others]).sum()) - right)

    rows = [choice(logits[at, at], [logits[at, j] for j in wrong[at]]) for at in wrong]
    expected = np.mean(rows)
    if symmetric:
        columns = [
            choice(logits[at, at], [logits[i, at] for i in wrong if at in wrong[i]]) for at in wrong
        ]
        expected = (expected + np.mean(columns)) / 2
    loss = contrastive_loss(
        _tensor(queries), _tensor(documents), [*keys], texts, 0.0, 1, symmetric=symmetric
    )
    assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("extra", [0, 5])
def test_without_repeated_texts_keys_alone_count_to_the_bit(extra: int, symmetric: bool) -> None:
    rng = np.random.default_rng(5)
    count = 12
    queries, documents = _tensor(rng.normal(size=(count, 8))), rng.normal(size=(count + extra, 8))
    keys = [f"k{at // 2}" for at in range(count)]
    texts = [f"text {at}" for at in range(count + extra)]
    given = _tensor(documents)
    loss = contrastive_loss(queries, given, keys, texts, 0.2, 30.0, symmetric=symmetric)
    own = np.eye(count, count + extra, dtype=np.float32)
    same = np.zeros_like(own)
    same[:, :count] = np.array(keys)[:, None] == np.array(keys)
    logits = (paddle.matmul(queries, given, transpose_y=True) - 0.2 * paddle.to_tensor(own)) * 30.0
    logits = logits + paddle.to_tensor((same - own) * FAR)
    choose, answers = paddle.nn.functional.cross_entropy, paddle.arange(count)
    expected = choose(logits, answers)
    if symmetric:
        expected = (expected + choose(logits[:, :count].t(), answers)) / 2
    assert float(loss) == float(expected)


def test_ranker_losses() -> None:
    logits = np.array([[2.0, 0.0, 1.9]])
    right, *wrong = 1 / (1 + np.exp(-logits[0]))
    expected = np.mean([max(0, 0.1 - (right - score)) for score in wrong])
    assert float(margin_loss(_tensor(logits), 0.1)) == pytest.approx(expected, rel=1e-4)
    assert expected > 0
    choice = np.log(np.exp(logits).sum()) - 2
    assert float(listwise_loss(_tensor(logits))) == pytest.approx(choice, rel=1e-5)
    graded = graded_loss(_tensor([0.0, 0.0]), _tensor([0.5, 1.0]))
    assert float(graded) == pytest.approx(np.log(2), rel=1e-5)


def test_words_are_hidden_whole(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_ernie(tmp_path / "ernie"))
    text = "国有企业改革研究城市交通"
    encoded = tokenizer.encode(text)
    words = words_of_tokens(encoded.offsets, encoded.special_tokens_mask, text)
    assert sorted(at for word in words for at in word) == list(range(1, len(text) + 1))
    assert any(len(word) > 1 for word in words)
    masked_count = 0
    for seed in range(20):
        masked = mask_words(text, tokenizer, MASK, 0.3, 64, np.random.default_rng(seed))
        hidden = {at for at, label in enumerate(masked.labels) if label != IGNORED}
        assert all(masked.labels[at] == encoded.ids[at] for at in hidden)
        assert all(set(word) <= hidden or not set(word) & hidden for word in words)
        assert len(hidden) >= round(0.3 * len(text))
        untouched = set(range(len(encoded.ids))) - hidden
        assert all(masked.input_ids[at] == encoded.ids[at] for at in untouched)
        masked_count += sum(masked.input_ids[at] == MASK for at in hidden)
    assert masked_count > 0


def test_crops_are_spans_and_short_texts_stay() -> None:
    rng = np.random.default_rng(0)
    text = "".join(chr(0x4E00 + at) for at in range(100))
    spans = {crop(text, rng) for _ in range(20)}
    assert all(span in text and CROP_CHARS <= len(span) < 100 for span in spans)
    assert len(spans) > 10
    assert crop(text[:20], rng) == text[:20]


def test_negatives_leave_out_the_answer_and_what_may_be_one(tmp_path: Path) -> None:
    corpus = ["答案", "几乎答案", "难", "较难", "远"]
    similar = [0.9, 0.88, 0.7, 0.6, 0.1]
    vectors = np.array([[score, np.sqrt(1 - score**2)] for score in similar], dtype=np.float32)
    query = np.array([[1, 0]], dtype=np.float32)
    pairs = [Pair("问", "答案", "k", "g")]
    two = MiningOptions(count=2, least=2, last=4, ceiling=0.95)
    (mined,) = mine_texts(pairs, query, corpus, vectors, two, pairs)
    assert sorted(mined[2:]) == ["较难", "难"]
    three = replace(two, count=3, least=3)
    assert mine_texts(pairs, query, corpus, vectors, three, pairs) == []
    assert write_lists(tmp_path / "mined.tsv", [mined]) == 1
    cells = (tmp_path / "mined.tsv").read_text("utf-8").strip().split("\t")
    assert cells == ["问", "答案", *mined[2:]]
    ids = ["a", "b", "c", "d", "e"]
    # The second query has the words of the first: what answers it is no negative of the first.
    queries, twice = [("问", "a"), ("问 ", "d")], np.concatenate([query, query])
    (by_id,) = mine_ids(queries, twice, ids, vectors, replace(two, count=9, least=1), queries)
    assert by_id == ("问", "a", "c")
    # So too where the lines hold texts.
    twins = [Pair("问", "答案", "k", "g"), Pair("问？", "较难", "k", "g")]
    texts = mine_texts(
        twins, twice, corpus, vectors, replace(two, count=9, least=1, ceiling=1.0), twins
    )
    assert texts == [("问", "答案", "几乎答案", "难")]


def test_memory_of_mining_does_not_follow_the_product_of_queries_and_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    queries, documents = (
        (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        for vectors in (rng.normal(size=(64, 4)), rng.normal(size=(20_000, 4)))
    )
    nothing = [frozenset[int]()] * 64
    options = MiningOptions(count=5, least=1, last=9)
    answers = [None] * 64
    whole = hard_negatives(queries, documents, answers, nothing, options)
    monkeypatch.setattr(blocks, "MOST_VALUES", 100_000)
    tracemalloc.start()
    try:
        assert hard_negatives(queries, documents, answers, nothing, options) == whole
        assert tracemalloc.get_traced_memory()[1] < 4_000_000, "all at once takes 20 MB"
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(blocks, "MOST_VALUES", 1)
    assert hard_negatives(queries, documents, answers, nothing, options) == whole
