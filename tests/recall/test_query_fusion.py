"""The dense leg's share of a query, from what both legs say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.blend import read_weights
from services.common.errors import ModelInvalid
from services.recall.domain import Found
from services.recall.legs.query_fusion import NAMES, QueryFusion, evidence
from tests.analyzers import ANALYZER


def leg(*found: tuple[str, float]) -> list[Found]:
    return [Found(title, score, title) for title, score in found]


_WORDS = leg(("冻土区隧道温度场", 20.0), ("冻土", 8.0), ("隧道", 7.0))
_VECTORS = leg(("冻土区隧道温度场", 0.9), ("隧道", 0.5), ("冻土", 0.4))


def seen(query: str, dense: list[Found], lexical: list[Found]) -> dict[str, float]:
    return dict(zip(NAMES, evidence(query, dense, lexical, ANALYZER).tolist(), strict=True))


def test_what_the_legs_say_about_an_exact_title() -> None:
    about = seen("凍土區隧道溫度場", _VECTORS, _WORDS)
    assert about["lexical_coverage"] == about["dense_coverage"] == about["same_best"] == 1.0
    assert about["lexical_gap"] == pytest.approx(0.6)
    assert about["dense_gap"] == pytest.approx(0.4)
    assert about["latin"] == 0.0


def test_what_they_say_about_an_english_query() -> None:
    about = seen("tunnel temperature field", _VECTORS, _WORDS)
    assert (about["latin"], about["lexical_coverage"]) == (1.0, 0.0)


def test_a_word_counts_in_each_way_it_is_written() -> None:
    for query, text in (("3.5mm接口", "3.5 mm接口"), ("冻土隧道", "冻\n土隧\n道")):
        found = [Found("d", 1.0, "题", text)]
        about = seen(query, found, found)
        assert about["dense_coverage"] == about["lexical_coverage"] == 1.0, query


@given(
    st.text("冻土隧道 abc12。", max_size=80),
    st.lists(st.floats(-1, 1), min_size=1, max_size=12),
    st.lists(st.floats(0, 1e3), min_size=1, max_size=12),
)
def test_everything_lies_between_0_and_1(
    query: str, cosines: list[float], matches: list[float]
) -> None:
    dense, lexical = (
        leg(*((f"题{at}", score) for at, score in enumerate(sorted(scores, reverse=True))))
        for scores in (cosines, matches)
    )
    values = evidence(query, dense, lexical, ANALYZER)
    assert values.shape == (len(NAMES),)
    assert ((values >= 0) & (values <= 1)).all()


def test_a_leg_that_found_nothing_has_no_share() -> None:
    model = QueryFusion((0.0,) * len(NAMES))
    assert model.dense_weight("冻土", _VECTORS, _WORDS, ANALYZER) == 0.5
    assert model.dense_weight("冻土", _VECTORS, [], ANALYZER) == 1.0
    assert model.dense_weight("冻土", [], _WORDS, ANALYZER) == 0.0


def test_weights_of_other_evidence_are_refused() -> None:
    weights = read_weights().model_copy(update={"fusion": {"constant": 1.0}})
    with pytest.raises(ModelInvalid, match="xunwen eval blend"):
        QueryFusion.of(weights)
