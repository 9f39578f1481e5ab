"""Evaluates the queries of alerts that need no time: selectors, aggregations, comparisons with a
number or with values of the same labels, and set operations."""

import operator
import re
from collections.abc import Callable
from typing import Any

import promql_parser as promql

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_AGGREGATED: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "count": lambda values: float(len(values)),
}


def evaluated(query: str, series: dict[str, Vector]) -> Vector:
    """The answer to a query; `series` are the samples of each metric by their labels."""
    return _value(promql.parse(query), series)


def _value(expr: Any, series: dict[str, Vector]) -> Vector:
    match expr:
        case promql.ParenExpr():
            return _value(expr.expr, series)
        case promql.VectorSelector():
            found = series.get(expr.name or "", {})
            return {labels: value for labels, value in found.items() if _selected(expr, labels)}
        case promql.AggregateExpr():
            assert expr.modifier is not None, "all labels are lost"
            groups: dict[Labels, list[float]] = {}
            for labels, value in _value(expr.expr, series).items():
                kept = frozenset(pair for pair in labels if pair[0] in expr.modifier.labels)
                groups.setdefault(kept, []).append(value)
            combine = _AGGREGATED[str(expr.op)]
            return {labels: combine(values) for labels, values in groups.items()}
        case promql.BinaryExpr():
            return _combined(expr, series)
    raise AssertionError(f"{type(expr)} is not evaluated")


def _combined(expr: Any, series: dict[str, Vector]) -> Vector:
    left, sign = _value(expr.lhs, series), str(expr.op)
    if sign in _COMPARED:
        bounds = _bounds(expr.rhs, left, series)
        return {
            labels: value
            for labels, value in left.items()
            if labels in bounds and _COMPARED[sign](value, bounds[labels])
        }
    right = _value(expr.rhs, series)
    match sign:
        case "and":
            return {labels: value for labels, value in left.items() if labels in right}
        case "unless":
            return {labels: value for labels, value in left.items() if labels not in right}
        case "or":
            return {**right, **left}
    raise AssertionError(f"{sign} is not evaluated")


def _bounds(expr: Any, left: Vector, series: dict[str, Vector]) -> Vector:
    """What each value of the left side is compared with."""
    if isinstance(expr, promql.AggregateExpr):
        return _value(expr, series)
    return dict.fromkeys(left, _number(expr))


def _number(expr: Any) -> float:
    if isinstance(expr, promql.NumberLiteral):
        return float(expr.val)
    assert str(expr.op) == "*"
    return _number(expr.lhs) * _number(expr.rhs)


def _selected(expr: Any, labels: Labels) -> bool:
    own = dict(labels)
    return all(_fits(matcher, own.get(matcher.name, "")) for matcher in expr.matchers.matchers)


def _fits(matcher: Any, given: str) -> bool:
    if matcher.op == promql.MatchOp.Equal:
        return bool(given == matcher.value)
    if matcher.op == promql.MatchOp.NotEqual:
        return bool(given != matcher.value)
    assert matcher.op == promql.MatchOp.Re
    return re.fullmatch(matcher.value, given) is not None
