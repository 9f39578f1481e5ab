"""Boosts: which log-odds fields add, how the order follows, and what is refused."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.common.errors import DeadlineExceeded, InvalidRequest, SearchError
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.wire.boosts import MAX_FACTOR, MIN_FACTOR, Boost
from services.recall.domain import Found, Index
from services.recall.fields.boosts import Boosted, Booster, date_of, log_odds, moved
from services.recall.fields.columns import Columns, Rows
from services.recall.legs.fusion import Fused
from tests.engines.chance import NAMES, VALUES, documents
from tests.recall.columns import filled

TODAY = date(2026, 7, 1)
INDEX = Index("p", "e", "a", lexical=True)


def boost(name: str = "year", **form: Any) -> Boost:
    return Boost.model_validate({"field": name, **form})


def added(content: Sequence[dict[str, Any]], *boosts: Boost) -> list[float]:
    """The log-odds that boosts add to each document."""
    rows = np.arange(len(content))
    return [float(one) for one in log_odds(filled(content), rows, boosts, TODAY)]


def fused(*scores: float) -> list[Fused]:
    return [Fused(Found(f"d{n}", 0.0, version=1), None, None, one) for n, one in enumerate(scores)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2019, date(2019, 12, 31)),
        (2019.0, date(2019, 12, 31)),
        ("2019", date(2019, 12, 31)),
        ("2019年", date(2019, 12, 31)),
        ("2019-05", date(2019, 5, 31)),
        ("2024-02", date(2024, 2, 29)),
        ("2019-05-03", date(2019, 5, 3)),
        ("2019/5/3", date(2019, 5, 3)),
        ("2019年5月3日", date(2019, 5, 3)),
        ("2019-05-03T10:00:00Z", date(2019, 5, 3)),
        ("2019-13-01", None),
        ("2019-02-30", None),
        ("20190503", None),
        ("0000", None),
        ("建安五年", None),
        (2019.5, None),
        (999, None),
        (10_000, None),
        (1e300, None),
        (True, None),
    ],
)
def test_years_and_dates_are_read(value: Any, expected: date | None) -> None:
    assert date_of(value) == expected


def test_recency_halves_with_each_half_life() -> None:
    content = [{"day": day} for day in ("2026-07-01", "2026-06-21", "2026-06-11", "2030-01-01")]
    whole = math.log(3)
    assert added(content, boost("day", recency="10d", factor=3.0)) == pytest.approx(
        [whole, whole / 2, whole / 4, whole]
    )
    years = [{"year": 2026}, {"year": 2021}, {"year": 1526}, {}]
    new, old, ancient, without = added(years, boost(recency="5y"))
    assert new == math.log(2)
    assert old == pytest.approx(math.log(2) / 2, rel=0.1)
    assert 0 < ancient < 1e-20
    assert without == 0.0
    assert added(years, boost(recency="60m")) == added(years, boost(recency="5y"))


def test_numbers_reach_half_of_the_effect_at_the_given_one() -> None:
    content: list[dict[str, Any]] = [{"cited": one} for one in (0, 50, 10**15, -3, "50", True)]
    effects = added(content, boost("cited", halfway=50.0, factor=4.0))
    assert effects == pytest.approx([0.0, math.log(2), math.log(4), 0.0, 0.0, 0.0])


@given(
    st.floats(min_value=5e-324, allow_infinity=False),
    st.floats(min_value=5e-324, allow_infinity=False),
    st.floats(min_value=MIN_FACTOR, max_value=MAX_FACTOR),
)
@example(1e308, 1e308, 100.0)
@example(1e308, 5e-324, 0.01)
@example(5e-324, 1e308, 100.0)
def test_no_number_has_more_than_the_whole_effect(
    value: float, halfway: float, factor: float
) -> None:
    (effect,) = added([{"cited": value}], boost("cited", halfway=halfway, factor=factor))
    assert 0 <= effect / (math.log(factor) or 1.0) <= 1


def test_values_are_named_as_texts() -> None:
    content: list[dict[str, Any]] = [
        {"of": one}
        for one in ("甲", 2019, 2019.0, "2019", True, "乙", ["乙", "甲"], ["丙", "甲"], [])
    ]
    factors = {"甲": 2.0, "2019": 3.0, "true": 0.5, "丙": 0.1}
    effects = [math.exp(one) for one in added(content, boost("of", values=factors))]
    assert effects == pytest.approx([2, 3, 3, 3, 0.5, 1, 2, 0.1, 1])


def test_boosts_add_up_over_fields_of_any_kind() -> None:
    """The log-odds of several boosts are the sums of those of each, for whatever fields hold."""
    content = documents(random.Random(11), 200)
    texts = {str(value): 2.0 for value in VALUES if isinstance(value, str)}
    boosts = [
        boost(NAMES[0], recency="5y"),
        boost(NAMES[1], halfway=3.0, factor=0.5),
        boost(NAMES[2], values=texts),
    ]
    alone = [added(content, one) for one in boosts]
    assert added(content, *boosts) == pytest.approx([sum(one) for one in zip(*alone, strict=True)])
    for one, effects in zip(boosts, alone, strict=True):
        there = {one.field in fields for fields, by in zip(content, effects, strict=True) if by}
        assert there <= {True}, "a document without the field has no boost"
        assert any(effects)


@pytest.mark.parametrize(
    "given",
    [
        {"field": "year"},
        {"field": "year", "recency": "5y", "halfway": 3.0},
        {"field": "year", "recency": "5"},
        {"field": "year", "recency": "0y"},
        {"field": "year", "recency": "5w"},
        {"field": "year", "recency": 5},
        {"field": "year", "recency": "5y", "factor": 0.0},
        {"field": "year", "recency": "5y", "factor": 101.0},
        {"field": "year", "recency": "5y", "factor": "2"},
        {"field": "year", "recency": "5y", "weight": 2.0},
        {"field": "year", "halfway": 0.0},
        {"field": "year", "halfway": -1.0},
        {"field": "year", "halfway": float("nan")},
        {"field": "year", "values": {}},
        {"field": "year", "values": {"a": 0.0}},
        {"field": "year", "values": {"a": "2"}},
        {"field": "year", "values": ["a"]},
        {"field": "year", "values": {str(n): 2.0 for n in range(101)}},
        {"field": "year", "values": {"a": 2.0}, "factor": 2.0},
        {"field": "*", "recency": "5y"},
        {"recency": "5y"},
    ],
)
def test_unknown_forms_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Boost.model_validate(given)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 0.0, -3.0, 0.5, 2.0])), max_size=30)
)
def test_the_order_is_that_of_scores_with_boosts(given: list[tuple[float, float]]) -> None:
    scores = sorted((score for score, _ in given), reverse=True)
    odds = np.array([one for _, one in given])
    found = moved(fused(*scores), odds, span=15.0)
    assert [one.score for one in found.fused] == sorted(
        (one.score for one in found.fused), reverse=True
    )
    by_id = {one.document.id: one.score for one in found.fused}
    for place, (before, one) in enumerate(zip(scores, odds, strict=True)):
        after = by_id[f"d{place}"]
        if one == 0:
            assert after == before
            assert f"d{place}" not in found.concerned
        else:
            assert found.concerned[f"d{place}"] == (one, before)
            assert (after - before) * one >= 0


def test_a_boost_moves_a_score_by_its_share_of_the_scale() -> None:
    found = moved(fused(0.9, 0.5, 0.4), np.array([0.0, 0.0, 3.0]), span=15.0)
    assert {one.document.id: one.score for one in found.fused} == {
        "d0": 0.9, "d1": 0.5, "d2": pytest.approx(0.4 + 0.5 * 3 / 15),
    }  # fmt: skip


def test_rank_gets_the_best_with_boosts_and_without() -> None:
    found = moved(fused(*(1 - n / 100 for n in range(10))), np.array([0.0] * 9 + [90.0]), span=15.0)
    assert found.fused[0].document.id == "d9"
    assert [one.document.id for one in found.candidates(found.fused, 3)] == ["d9", "d0", "d1", "d2"]
    plain = Boosted(fused(*(1 - n / 100 for n in range(10))))
    assert len(plain.candidates(plain.fused, 3)) == 3


@dataclass
class Shelf:
    """Columns in memory, or an index that fails."""

    there: Columns = field(default_factory=Columns)
    error: SearchError | None = None

    async def columns(
        self,
        index: Index,
        keys: Sequence[tuple[str, int]],
        names: Sequence[str],
        deadline: Deadline,
    ) -> tuple[Columns, Rows]:
        if self.error is not None:
            raise self.error
        return self.there, self.there.rows([identity for identity, _ in keys])


async def test_what_cannot_be_read_leaves_the_order_and_is_told() -> None:
    found, boosts, soon = fused(0.9, 0.5), [boost(recency="5y")], Deadline.after(9)

    async def of(shelf: Shelf) -> Boosted:
        return await Booster(shelf, 15.0).boosted(INDEX, found, boosts, soon, Stopwatch())

    late = await of(Shelf(error=DeadlineExceeded()))
    assert (late.fused, late.complete) == (found, False)
    with pytest.raises(InvalidRequest, match="no field"):
        await of(Shelf(error=InvalidRequest("no field")))
    unknown = await of(Shelf(filled([{"year": 2026}])))
    assert unknown.complete
    assert set(unknown.concerned) == {"d0"}, "a document that was deleted meanwhile has no boost"
