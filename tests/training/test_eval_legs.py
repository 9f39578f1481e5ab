"""BM25, exact search and fusion against hand-made and brute-force answers."""

from pathlib import Path

import numpy as np
import pytest

from services.common.blend import read_weights
from services.common.engine import Encoder, PredictorOptions, Ranker, open_encoder, open_ranker
from services.recall.legs.fusion import Fusion
from tests.analyzers import ANALYZER
from tests.training.literature import evaluate
from training.evaluation import legs
from training.evaluation.bm25 import Bm25
from training.evaluation.exact import top
from training.evaluation.pools import candidates, found_by_legs
from training.evaluation.reranking import RANKER, SERVED, Reranking
from training.evaluation.tasks import Corpus, Query, Task
from training.evaluation.vectors import document_vectors

_SHIPPED = Path(__file__).parents[2] / "models" / "literature-encoder"
_TITLES = ("国有企业改革", "民营企业创新", "海洋生态保护", "水稻种植技术")
_TASK = Task(
    "tiny",
    Corpus(("d0", "d1", "d2", "d3"), _TITLES, ("",) * 4),
    (
        Query("q0", "国有企业改革", (0,)),
        Query("q1", "水稻种植技术", (3,)),
        Query("q2", "水稻种植技术", (3,)),
    ),
)


@pytest.fixture(scope="module")
def encoder(models: Path) -> Encoder:
    return open_encoder(models / "encoder", PredictorOptions(threads=1, precision="fp32"))


@pytest.fixture(scope="module")
def ranker(models: Path) -> Ranker:
    return open_ranker(models / "ranker", PredictorOptions(threads=1, precision="fp32"))


@pytest.mark.parametrize("texts", [["a b", ""], ["", ""]])
def test_bm25_of_nothing_finds_nothing(texts: list[str]) -> None:
    """A query of signs alone has no words, nor has a corpus of such texts."""
    index = Bm25(texts, str.split, str.split)
    assert (index.scores(["", "a"]) > 0).tolist() == [[False, False], [bool(texts[0]), False]]


def test_bm25_formula() -> None:
    """Lucene's: idf = ln(1 + (N - n + 0.5) / (n + 0.5)), tf / (tf + k1 (1 - b + b l / avgl))."""
    index = Bm25(["a a b", "b", "c c c c"], str.split, str.split)
    scores = index.scores(["a", "b z", "z"])
    average = 8 / 3
    idf_a = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = idf_a * 2 / (2 + 1.5 * (0.25 + 0.75 * 3 / average))
    # Implementations with and without the constant factor (k1 + 1) rank alike.
    assert scores[0, 0] == pytest.approx(expected, rel=1e-5) or scores[0, 0] == pytest.approx(
        2.5 * expected, rel=1e-5
    )
    assert scores[0, 1] == scores[0, 2] == 0
    assert scores[1, 1] > scores[1, 0] > 0
    assert not scores[2].any()


def test_top_agrees_with_sorting_and_keeps_corpus_order_among_equals() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, size=(7, 40)).astype(np.float32)
    for depth in (1, 10, 40, 99):
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        assert np.array_equal(top(scores, depth), expected)


def test_words_that_no_document_has_find_nothing() -> None:
    task = Task("none", _TASK.corpus, (Query("q", "完全无关", (0,)),))
    assert legs.rank_with_words(task, ANALYZER)[legs.LEXICAL] == {"q": []}


def test_legs_rank_every_query(encoder: Encoder) -> None:
    rankings = legs.rank_with_legs(_TASK, ANALYZER, encoder, cache=None)
    assert list(rankings) == [legs.LEXICAL, legs.DENSE, legs.HYBRID, legs.HYBRID_RRF]
    for ranking in rankings.values():
        assert list(ranking) == ["q0", "q1", "q2"]
        assert [found[0] for found in ranking.values()] == ["d0", "d3", "d3"]
    assert all(sorted(found) == ["d0", "d1", "d2", "d3"] for found in rankings["dense"].values())


def test_the_legs_are_fused_as_recall_fuses_them(encoder: Encoder) -> None:
    (first, *_) = found_by_legs(_TASK, ANALYZER, encoder, None)
    for weight in (0.0, 0.3, 1.0):
        rankings = legs.rank_with_legs(_TASK, ANALYZER, encoder, cache=None, dense_weight=weight)
        served = candidates(first, Fusion(dense_weight=weight))
        assert rankings[legs.HYBRID]["q0"] == [each.id for each in served]


def test_cached_vectors_are_those_of_the_encoder(encoder: Encoder, tmp_path: Path) -> None:
    first = document_vectors(_TASK.corpus, encoder, tmp_path)
    (cached,) = tmp_path.iterdir()
    assert encoder.manifest.fingerprint in cached.name
    assert np.array_equal(first, document_vectors(_TASK.corpus, encoder, tmp_path))
    other = Corpus(("x",), ("别的",), ("",))
    assert document_vectors(other, encoder, tmp_path).shape == (1, encoder.dimension)


def test_vectors_of_another_int8_program_are_not_taken(tmp_path: Path) -> None:
    encoder = open_encoder(_SHIPPED, PredictorOptions(threads=1, precision="int8"))
    document_vectors(_TASK.corpus, encoder, tmp_path)
    files = encoder.manifest.files
    assert files.int8 is not None
    quantised_again = files.int8.model_copy(update={"sha256": "0" * 64})
    encoder.manifest = encoder.manifest.model_copy(
        update={"files": files.model_copy(update={"int8": quantised_again})}
    )
    document_vectors(_TASK.corpus, encoder, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_ranker_reorders_the_head_only(encoder: Encoder, ranker: Ranker) -> None:
    (legs_of_query, *_) = found_by_legs(_TASK, ANALYZER, encoder, None)
    found = candidates(legs_of_query, Fusion(dense_weight=0.5))
    ids = [each.id for each in found]
    rows = Reranking.of(ranker, encoder, read_weights(), ANALYZER, 3).orders("国有企业改革", found)
    logits = ranker.score("国有企业改革", [each.title for each in found[:3]])
    assert rows == {RANKER: [*(ids[position] for position in np.argsort(-logits)), ids[3]]}


def test_the_row_of_the_rank_service_is_what_its_phases_answer(
    encoder: Encoder, ranker: Ranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With weights of these models. A ranker that weighs much decides what is read."""
    monkeypatch.setenv("XUNWEN_RANK_KEEP", "4")
    (legs_of_query, *_) = found_by_legs(_TASK, ANALYZER, encoder, None)
    found = candidates(legs_of_query, Fusion(dense_weight=0.5))
    fitted = read_weights().model_copy(
        update={
            "encoder": encoder.manifest.fingerprint,
            "ranker": ranker.manifest.fingerprint,
            "fine": 1000.0,
            "fine_coarse": 0.0,
            "reads_topics": True,
            "stop": None,
        }
    )
    rows = Reranking.of(ranker, encoder, fitted, ANALYZER, 4).orders("国有企业改革", found)
    assert rows[SERVED] == rows[RANKER] != [each.id for each in found]
    silent = fitted.model_copy(update={"fine": 0.0})
    rows = Reranking.of(ranker, encoder, silent, ANALYZER, 0).orders("国有企业改革", found)
    assert rows == {SERVED: [each.id for each in found]}


def test_offline_command_prints_the_tables(models: Path, tmp_path: Path) -> None:
    figures, kept = tmp_path / "figures.json", tmp_path / "kept"
    printed = evaluate("offline", models, tmp_path, json_file=figures, save=kept)
    assert (kept / "keywords_to_title.json").is_file()
    for row in ("| BM25 |", "| dense |", "| hybrid |", "| hybrid + ranker |"):
        assert row in printed
    assert "general is left out: pairs_general.tsv" in printed
    assert '"first_sentence_to_title"' in figures.read_text()
