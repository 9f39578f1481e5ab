"""Losses, masks and mined negatives against cases worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.ernie import MASK, paddle, tiny_ernie
from training.data.masking import IGNORED, mask_words, words_of_tokens
from training.data.mining import MiningOptions, mine_ids, mine_texts, write_lists
from training.data.pairs import Pair
from training.networks.tokenization import load_tokenizer
from training.objectives.contrastive import contrastive_loss
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
    loss = contrastive_loss(queries, titles, ["a", "b"], margin=0.2, scale=10)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    columns = np.mean([np.log(np.exp(row).sum()) - row[at] for at, row in enumerate(rows.T)])
    both = contrastive_loss(queries, titles, ["a", "b"], margin=0.2, scale=10, symmetric=True)
    assert float(both) == pytest.approx((expected + columns) / 2, rel=1e-5)


def test_titles_of_the_same_key_are_no_negatives() -> None:
    queries, titles = _tensor([[1, 0], [1, 0]]), _tensor([[1, 0], [1, 0]])
    assert float(contrastive_loss(queries, titles, ["a", "a"], 0.0, 20)) == pytest.approx(0)
    apart = contrastive_loss(queries, titles, ["a", "b"], 0.0, 20)
    assert float(apart) == pytest.approx(np.log(2), rel=1e-5)


def test_mined_negatives_count_in_every_row() -> None:
    queries, titles = _tensor([[1, 0]]), _tensor([[1, 0], [0, 1]])
    loss = contrastive_loss(queries, titles, ["a"], 0.0, 1)
    assert float(loss) == pytest.approx(np.log(np.e + 1) - 1, rel=1e-5)


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
    (mined,) = mine_texts(pairs, query, corpus, vectors, two)
    assert sorted(mined[2:]) == ["较难", "难"]
    three = replace(two, count=3, least=3)
    assert mine_texts(pairs, query, corpus, vectors, three) == []
    assert write_lists(tmp_path / "mined.tsv", [mined]) == 1
    cells = (tmp_path / "mined.tsv").read_text("utf-8").strip().split("\t")
    assert cells == ["问", "答案", *mined[2:]]
    ids = ["a", "b", "c", "d", "e"]
    # The second query has the words of the first: what answers it is no negative of the first.
    queries, twice = [("问", "a"), ("问 ", "d")], np.concatenate([query, query])
    (by_id,) = mine_ids(queries, twice, ids, vectors, replace(two, count=9, least=1))
    assert by_id == ("问", "a", "c")
