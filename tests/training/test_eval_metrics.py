"""Measures against cases computed by hand."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.training.literature import evaluate
from training.data import blocks
from training.data.splits import held_out_query
from training.evaluation.auc import auc
from training.evaluation.comparison import randomisation
from training.evaluation.metrics import NAMES, estimate, measure, per_query


def test_single_relevant_document_at_rank_three() -> None:
    values = per_query({"q": {"c": 1}}, {"q": ["a", "b", "c", "d"]})
    assert values["R@1"][0] == 0
    assert values["R@5"][0] == 1
    assert values["MRR@10"][0] == pytest.approx(1 / 3)
    assert values["nDCG@10"][0] == pytest.approx(1 / math.log2(4))


def test_several_relevant_documents() -> None:
    values = per_query({"q": {"a": 1, "d": 1}}, {"q": ["a", "b", "c", "d"]})
    assert values["R@1"][0] == 0.5
    assert values["R@5"][0] == 1
    assert values["MRR@10"][0] == 1
    ideal = 1 + 1 / math.log2(3)
    assert values["nDCG@10"][0] == pytest.approx((1 + 1 / math.log2(5)) / ideal)


def test_rank_eleven_counts_for_recall_but_not_for_mrr() -> None:
    ranking = [*(f"other-{rank}" for rank in range(10)), "wanted"]
    values = per_query({"q": {"wanted": 1}}, {"q": ranking})
    assert values["MRR@10"][0] == 0
    assert values["nDCG@10"][0] == 0
    assert (values["R@10"][0], values["R@20"][0]) == (0, 1)


def test_the_order_of_the_run_decides_not_the_names() -> None:
    """trec_eval breaks ties by document id; a run that is already ordered has no ties."""
    for ranking, expected in ((["z", "a"], 0.5), (["a", "z"], 1.0)):
        assert per_query({"q": {"a": 1}}, {"q": ranking})["MRR@10"][0] == expected


def test_every_query_counts() -> None:
    """One without an answer, one that found nothing relevant, and the last one."""
    qrels = {"missing": {"a": 1}, "wrong": {"a": 1}, "last": {"a": 1}}
    figures = measure(qrels, {"wrong": ["b"], "last": ["a"]})
    assert figures["MRR@10"].mean == pytest.approx(1 / 3)
    assert figures["R@1"].mean == pytest.approx(1 / 3)


def test_a_query_with_no_relevant_document_scores_nothing() -> None:
    values = per_query({"none": {}, "some": {"a": 1}}, {"none": ["a"], "some": ["a"]})
    assert [*values["R@1"]] == [0, 1]


def test_repeated_query_texts_count_each() -> None:
    """Two queries of the same words are two queries: ids tell them apart, not words."""
    figures = measure({"q1": {"a": 1}, "q2": {"b": 1}}, {"q1": ["a", "b"], "q2": ["a", "b"]})
    assert figures["MRR@10"].mean == pytest.approx(0.75)


def test_unknown_queries_of_a_run_are_ignored() -> None:
    assert measure({"q": {"a": 1}}, {"q": ["a"], "other": ["b"]})["R@1"].mean == 1


def test_all_measures_are_named() -> None:
    assert set(measure({"q": {"a": 1}}, {"q": ["a"]})) == set(NAMES)


def test_interval_holds_the_mean_and_is_repeatable() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    found = estimate(values)
    assert found == estimate(values)
    assert found.low < found.mean == 0.5 < found.high
    # Standard error of a fair coin over 100 queries is 0.05; 1.96 of it on each side.
    assert found.high - found.low == pytest.approx(4 * 0.049, rel=0.2)
    assert estimate(np.ones(20)).low == 1


def test_memory_does_not_follow_the_rounds_of_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random(3_000)
    before = values[::-1].copy()
    whole = estimate(values), randomisation(before, values)
    monkeypatch.setattr(blocks, "MOST_VALUES", 30_000)
    tracemalloc.start()
    try:
        assert (estimate(values), randomisation(before, values)) == whole
        assert tracemalloc.get_traced_memory()[1] < 3_000_000, "all rounds at once take 48 MB"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("lines", "said", "figures"),
    [
        ([], "AUC is left out: no usable line", None),
        (["no grade"], "AUC is left out: no usable line", None),
        (["seen\t甲\t1"], "AUC is left out: relevance_web.tsv has no query that is held out", None),
        (["out\t甲\t0", "out\t乙\t0"], "AUC none, as all pairs", (2, [True, True])),
        (["out\t甲\t1", "out\t乙\t0"], "(grade >= 1), none", (2, [False, True])),
    ],
)
def test_the_tables_are_kept_where_there_is_no_auc(
    lines: list[str],
    said: str,
    figures: tuple[int, list[bool]] | None,
    models: Path,
    tmp_path: Path,
) -> None:
    queries = [f"问题{number}" for number in range(100)]
    kinds = {
        "seen": next(query for query in queries if not held_out_query(query)),
        "out": next(query for query in queries if held_out_query(query)),
    }
    text = "".join(f"{line}\n" for line in lines)
    for kind, query in kinds.items():
        text = text.replace(f"{kind}\t", f"{query}\t")
    (tmp_path / "relevance_web.tsv").write_text(text, "utf-8")
    output = tmp_path / "figures.json"
    printed = evaluate("offline", models, tmp_path, json_file=output)
    assert said in printed
    found = json.loads(output.read_text("utf-8"), parse_constant=pytest.fail)
    assert "keywords_to_title" in found
    web = found.get("web_relevance")
    if figures is None:
        assert web is None
    else:
        absent = [web[name] is None for name in ("auc_relevant", "auc_exact")]
        assert (web["pairs"], absent) == figures


def test_auc() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8], dtype=np.float32)
    # Of the four (relevant, other) pairs only 0.35 against 0.4 is in the wrong order.
    assert auc([False, False, True, True], scores) == 0.75
    assert auc([False, True], np.array([0.5, 0.5], dtype=np.float32)) == 0.5
    assert math.isnan(auc([True, True], np.zeros(2, dtype=np.float32)))
