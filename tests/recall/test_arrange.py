"""Counts, orders and groups from columns equal those that plain Python makes."""

import random
from collections import Counter
from typing import Any

import pytest

from services.common.errors import InvalidRequest
from services.common.wire.arrange import Arranged, ArrangeOptions, SortKey
from services.common.wire.facets import FacetWanted
from services.recall.fields.arrange import arranged
from services.recall.fields.columns import Columns
from tests.engines.chance import NAMES, documents
from tests.recall.columns import filled

SEED = 7


def kind(value: Any) -> int:
    return 2 if isinstance(value, bool) else int(isinstance(value, str))


def key(value: Any) -> tuple[int, Any]:
    return kind(value), value


def items(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name, [])
    every = value if isinstance(value, list) else [value]
    return [every[at] for at in range(len(every)) if key(every[at]) not in map(key, every[:at])]


def of(content: list[dict[str, Any]], wanted: ArrangeOptions, chosen: list[int]) -> Arranged:
    columns = filled(content)
    return arranged(columns.fields, columns.rows([f"d{place}" for place in chosen]), wanted)


def test_counts_equal_those_of_plain_python() -> None:
    chance = random.Random(SEED)
    content = documents(chance, 300)
    for size in (0, 1, 7, 100, 300):
        chosen = chance.sample(range(len(content)), size)
        for name in NAMES:
            top = chance.choice([0, 1, 3, 10, 100])
            edges = sorted(chance.sample([-2, 0, 1, 15.5, 2015, 2016], chance.randrange(1, 5)))
            wanted = FacetWanted(field=name, top=top, edges=edges)
            facet = of(content, ArrangeOptions(facets=[wanted]), chosen).facets[name]
            counted = Counter(key(one) for at in chosen for one in items(content[at], name))
            best = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
            assert [(key(one.value), one.count) for one in facet.values] == best
            assert facet.other == sum(counted.values()) - sum(count for _, count in best)
            assert facet.distinct == len(counted)
            assert facet.missing == sum(not items(content[at], name) for at in chosen)
            numbers = [value for which, value in counted if which == 0]
            assert (facet.low, facet.high) == (
                min(numbers, default=None),
                max(numbers, default=None),
            )
            given = [content[at].get(name) for at in chosen]
            single = [one for one in given if isinstance(one, (int, float)) and kind(one) == 0]
            assert len(facet.ranges) == len(edges) + 1
            for found in facet.ranges:
                low = float("-inf") if found.gte is None else float(found.gte)
                high = float("inf") if found.lt is None else float(found.lt)
                assert found.count == sum(low <= one < high for one in single), found


def test_orders_equal_those_of_plain_python() -> None:
    chance = random.Random(SEED)
    content = documents(chance, 200)
    chosen = chance.sample(range(len(content)), 150)
    for _ in range(20):
        names = chance.sample(NAMES, chance.randrange(1, 4))
        keys = [SortKey(field=name, descending=chance.random() < 0.5) for name in names]
        order = of(content, ArrangeOptions(sort=keys), chosen).order
        expected = list(range(len(chosen)))
        for one in reversed(keys):
            firsts = {
                at: (max if one.descending else min)(map(key, values))
                for at in expected
                if (values := items(content[chosen[at]], one.field))
            }
            there = sorted(
                (at for at in expected if at in firsts),
                key=lambda at: firsts[at],
                reverse=one.descending,
            )
            expected = there + [at for at in expected if at not in firsts]
        assert order == expected


def test_groups_are_led_by_their_first_and_count_all() -> None:
    content: list[dict[str, Any]] = [
        {"journal": "甲"}, {"journal": "乙"}, {}, {"journal": ["甲", "丙"]}, {"journal": "乙"}, {},
    ]  # fmt: skip
    answer = of(content, ArrangeOptions(group_by="journal"), list(range(6)))
    assert answer.order == [0, 1, 2, 5]
    assert answer.groups is not None
    assert [(one.value, one.count) for one in answer.groups] == [
        ("甲", 2), ("乙", 2), (None, 1), (None, 1),
    ]  # fmt: skip
    backwards = of(
        content,
        ArrangeOptions(group_by="journal", sort=[SortKey(field="relevance", descending=True)]),
        list(range(6)),
    )
    assert backwards.order == [5, 4, 3, 2]


def test_many_values_of_all_kinds_are_put_in_order() -> None:
    chance = random.Random(SEED)
    makers = (str, lambda at: at / 3, lambda at: at, lambda at: at % 2 == 0)
    content = [{"value": chance.choice(makers)(at)} for at in chance.sample(range(90_000), 30_000)]
    wanted = ArrangeOptions(sort=[SortKey(field="value")])
    expected = sorted(range(len(content)), key=lambda at: key(content[at]["value"]))
    assert of(content, wanted, list(range(len(content)))).order == expected


def test_columns_that_grow_meanwhile_do_not_change_what_was_taken() -> None:
    chance = random.Random(SEED)
    content = documents(chance, 3_000)
    columns = filled(content[:900])
    chosen = {size: columns.rows([f"d{at}" for at in range(size)]) for size in (40, 900)}
    wanted = ArrangeOptions(
        facets=[FacetWanted(field=name, top=5) for name in NAMES],
        sort=[SortKey(field=NAMES[0])],
        group_by=NAMES[1],
    )
    fields = columns.fields_so_far()
    before = [arranged(fields, rows, wanted) for rows in chosen.values()]
    for at, each in enumerate(content):
        columns.put(f"d{at}", 2, each)
    assert [arranged(fields, rows, wanted) for rows in chosen.values()] == before


def test_a_document_written_again_is_counted_once() -> None:
    columns = filled([{"year": 2000}, {"year": 2001}])
    found, unknown = columns.found([("d0", 2), ("d1", 1), ("d2", 1)])
    assert (found.tolist(), unknown) == ([0, 1, -1], ["d0", "d2"])
    columns.put("d0", 2, {"year": 2001})
    rows = columns.rows(["d0", "d1", "gone"])
    assert rows.tolist()[2] == -1
    answer = arranged(columns.fields, rows[:2], ArrangeOptions(facets=[FacetWanted(field="year")]))
    assert [(one.value, one.count) for one in answer.facets["year"].values] == [(2001, 2)]


def test_the_rows_of_lists_that_repeat_are_the_newest() -> None:
    chance = random.Random(SEED)
    columns, versions = Columns(), dict[str, int]()
    newest: dict[str, int] = {}
    asked: list[list[str]] = [[]]
    for turn in range(400):
        if chance.random() < 0.3:
            name = f"d{chance.randrange(60)}"
            versions[name] = turn
            newest[name] = len(columns)
            columns.put(name, turn, {"year": turn})
        if chance.random() < 0.5:
            asked.append(chance.sample(sorted(versions), chance.randrange(len(versions) + 1)))
            if chance.random() < 0.3:
                asked[-1].insert(chance.randrange(len(asked[-1]) + 1), f"unknown{turn}")
        names = chance.choice(asked[-2:])
        rows, unknown = columns.found([(one, versions.get(one, 0)) for one in names])
        assert rows.tolist() == [newest.get(one, -1) for one in names]
        assert unknown == [one for one in names if one not in versions]
        older, outdated = columns.found([(one, -5) for one in names])
        assert (older.tolist(), outdated) == (rows.tolist(), names)


def test_dates_are_counted_between_dates() -> None:
    content: list[dict[str, Any]] = [
        {"date": date} for date in ("2015-03-01", "2016-01-01", "2019")
    ]
    wanted = FacetWanted(field="date", edges=["2016", "2018"])
    facet = of(content, ArrangeOptions(facets=[wanted]), [0, 1, 2]).facets["date"]
    assert [one.count for one in facet.ranges] == [1, 1, 1]


@pytest.mark.parametrize("edges", [[2, 1], [1, 1], [1, "2"], ["b", "a"]])
def test_edges_that_do_not_rise_are_refused(edges: list[Any]) -> None:
    wanted = ArrangeOptions(facets=[FacetWanted(field="year", edges=edges)])
    with pytest.raises(InvalidRequest, match="larger than the one before"):
        of([{"year": 1}], wanted, [0])
