"""The fit of fusion: it orders documents as recall does, and finds what the queries teach."""

from hypothesis import given
from hypothesis import strategies as st

from services.common.text import WordAnalyzer
from services.recall.domain import Found
from services.recall.fused import Fusion, fuse
from training.evaluation.fusion import FusionSample, fit_fusion, reciprocal_rank, sample_of
from training.evaluation.pools import Legs
from training.evaluation.tasks import Query

_ANALYZER = WordAnalyzer()


def _leg(scores: dict[str, float]) -> list[Found]:
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Found(id_, score, f"题 {id_}") for id_, score in ordered]


def _sample(dense: dict[str, float], lexical: dict[str, float], wanted: str) -> FusionSample:
    legs = Legs(Query("q", "冻土隧道", (0,)), _leg(dense), _leg(lexical))
    sample = sample_of("group", "冻土隧道", legs, {wanted}, _ANALYZER)
    assert sample is not None
    return sample


def _scores(most: float) -> st.SearchStrategy[dict[str, float]]:
    """At least two documents, no two with the same score."""
    values = st.floats(most / 100, most)
    named = st.tuples(st.sampled_from("abcdefgh"), values)
    unique = st.lists(
        named, min_size=2, max_size=8, unique_by=(lambda one: one[0], lambda one: one[1])
    )
    return unique.map(dict)


@given(_scores(1), _scores(30), st.floats(0.1, 0.9), st.floats(0, 1))
def test_a_sample_is_ordered_as_recall_orders_it(
    dense: dict[str, float], lexical: dict[str, float], share: float, bonus: float
) -> None:
    fused = fuse(_leg(dense), _leg(lexical), 10, Fusion("weighted", share, bonus))
    for place, each in enumerate(fused, start=1):
        near = [other for other in fused if abs(other.score - each.score) < 1e-9]
        if len(near) == 1:
            sample = _sample(dense, lexical, each.document.id)
            assert reciprocal_rank(sample, share, bonus) == 1 / place


def test_the_bonus_is_learnt_where_the_first_by_words_is_right() -> None:
    """Both scores of the wanted document are a little below those of another one."""
    right = [
        _sample({"a": 0.9, "b": 0.8, "z": 0.1}, {"b": 5.1, "a": 5.0, "z": 1.0}, "b")
        for _ in range(20)
    ]
    wrong = [
        _sample({"a": 0.9, "b": 0.8, "z": 0.1}, {"b": 5.1, "a": 5.0, "z": 1.0}, "a")
        for _ in range(20)
    ]
    assert fit_fusion(right).place_bonus > 0.2
    assert fit_fusion(wrong).place_bonus == 0.0
