"""Counts, order and groups of a set of documents, from the columns of their fields."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidRequest
from services.common.fields.values import Scalar
from services.common.wire.arrange import Arranged, ArrangeOptions, Group, SortKey
from services.common.wire.facets import Edge, Facet, FacetRange, FacetValue, FacetWanted
from services.recall.fields.columns import NUMBER, FieldColumn, Rows, kind_of

RELEVANCE = "relevance"
"""Key of an order that stands for the order in which the documents were given."""
_NONE = FieldColumn()
"""The column of a field that no document has."""

Places = npt.NDArray[np.int64]
Fields = Mapping[str, FieldColumn]
"""Columns by the names of their fields."""


def arranged(
    fields: Fields, rows: Rows, wanted: ArrangeOptions, most: int | None = None
) -> Arranged:
    """The counts, the order and the groups of the documents of `rows`, whose own order is the last
    key; with `most` only the first ones of order and groups.

    Raises InvalidRequest for edges that do not rise.
    """
    facets = {one.field: facet(fields.get(one.field, _NONE), rows, one) for one in wanted.facets}
    order, groups, distinct = sorted_places(fields, rows, wanted.sort), None, None
    if wanted.group_by is not None:
        column = fields.get(wanted.group_by, _NONE)
        first, codes, counts = _grouped(column, rows[order])
        order, distinct = order[first], len(first)
        groups = _groups(column, codes[:most], counts[:most])
    return Arranged.model_construct(
        total=len(rows),
        order=order[:most].tolist(),
        groups=groups,
        distinct_groups=distinct,
        facets=facets,
    )


def facet(column: FieldColumn, rows: Rows, wanted: FacetWanted) -> Facet:
    """The counts of one field. Raises InvalidRequest for edges that do not rise."""
    counts = column.counts(rows)
    there = np.flatnonzero(counts)
    numbers: list[Any] = [
        column.values[code]
        for kind, codes in column.by_kind(there)
        if kind == NUMBER
        for code in codes.tolist()
    ]
    best = _most_frequent(column, counts, there, wanted.top)
    named = [FacetValue(value=column.values[code], count=int(counts[code])) for code in best]
    ranges = _ranges(column, rows, wanted) if wanted.edges else []
    return Facet.model_construct(
        values=named,
        other=int(counts.sum()) - sum(one.count for one in named),
        distinct=len(there),
        missing=column.missing(rows),
        low=min(numbers, default=None),
        high=max(numbers, default=None),
        ranges=ranges,
    )


def sorted_places(fields: Fields, rows: Rows, keys: Sequence[SortKey]) -> Places:
    """The places of `rows` in order.

    Documents without a value come last in either direction. Numbers come before texts, and texts
    before true and false; a list is placed by its first value in that direction.
    """
    if not keys:
        return np.arange(len(rows))
    ranks = []
    for key in keys:
        if key.field == RELEVANCE:
            given = np.arange(len(rows))
            ranks.append(-given if key.descending else given)
        else:
            ranks.append(_ranks(fields.get(key.field, _NONE), rows, key.descending))
    return np.lexsort(ranks[::-1])


def _ranks(column: FieldColumn, rows: Rows, descending: bool) -> Places:
    places, codes = column.pairs(rows)
    different, inverse = np.unique(codes, return_inverse=True)
    rank_of = np.empty(len(different), np.int64)
    order = column.ordered(different.astype(np.int64))
    rank_of[np.searchsorted(different, order)] = np.arange(len(different))
    if descending:
        rank_of = len(different) - 1 - rank_of
    ranks = np.full(len(rows), len(different), np.int64)
    np.minimum.at(ranks, places, rank_of[inverse.ravel()])
    return ranks


def _key(value: Scalar) -> tuple[int, Scalar]:
    return kind_of(value), value


def _most_frequent(column: FieldColumn, counts: Places, there: Places, top: int) -> list[int]:
    """Codes of the `top` most frequent values; equal counts in the order of values."""
    if top == 0 or not len(there):
        return []
    if len(there) <= top:
        chosen = there
    else:
        least = np.partition(counts[there], len(there) - top)[len(there) - top]
        above = there[counts[there] > least]
        level = column.smallest(there[counts[there] == least], top - len(above))
        chosen = np.append(above, level).astype(np.int64)
    return sorted(chosen.tolist(), key=lambda at: (-counts[at], _key(column.values[at])))


def _ranges(column: FieldColumn, rows: Rows, wanted: FacetWanted) -> list[FacetRange]:
    edges = wanted.edges
    _check_edges(wanted.field, edges)
    kind = kind_of(edges[0])
    sums = [0] * (len(edges) + 1)
    counts = column.counts(rows, single=True)
    for code in np.flatnonzero(counts):
        value = column.values[code]
        if kind_of(value) == kind:
            sums[bisect_right(edges, value)] += int(counts[code])
    bounds: list[Edge | None] = [None, *edges, None]
    return [
        FacetRange(gte=low, lt=high, count=total)
        for low, high, total in zip(bounds, bounds[1:], sums, strict=False)
    ]


def _check_edges(field: str, edges: Sequence[Edge]) -> None:
    one_kind = len({kind_of(edge) for edge in edges}) == 1
    if not one_kind or not _rise(edges):
        raise InvalidRequest(
            f"facets: the edges of `{field}` are numbers or texts of one kind, each larger than"
            " the one before."
        )


def _rise(edges: Sequence[Edge]) -> bool:
    return all(low < high for low, high in pairwise(edges))  # type: ignore[operator]


def _grouped(column: FieldColumn, rows: Rows) -> tuple[Places, Places, Places]:
    """The places of the first document of each group, in order, with the codes of the groups'
    values and the numbers of their documents. The code of a group without a value is below 0.

    A list belongs to the group of its first value; a document without the field is alone.
    """
    firsts = column.firsts(rows)
    alone = np.flatnonzero(firsts < 0)
    firsts[alone] = -1 - np.arange(len(alone))
    codes, first, counts = np.unique(firsts, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], codes[order], counts[order]


def _groups(column: FieldColumn, codes: Places, counts: Places) -> list[Group]:
    return [
        Group.model_construct(value=column.values[code] if code >= 0 else None, count=count)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
    ]
