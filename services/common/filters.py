"""Metadata filters: structured JSON, compiled to an expression of Milvus.

    {"discipline": "数学", "year": {"gte": 2015}, "keywords": {"any": ["检索", "排序"]}}
    {"or": [{"discipline": "数学"}, {"not": {"year": {"lt": 2000}}}]}

Conditions side by side must all hold. A plain value asks whether the field is that value or, if
it is a list, holds it. The operators are ne, gt, gte, lt, lte, any and all. The bounds of a range
are of one kind, numbers or strings, and it holds for a single value of that kind; numbers compare
by value, strings by code points. `not` and `ne` are the complement over all documents, those
included that lack the field or hold a value of another kind in it.

Engines differ in what they can negate: the embedded Milvus has no `not` at all, and none of them
agrees with another about missing fields. Therefore each row carries *facets*, a JSON object that
`facets` makes of the metadata, and every negation is pushed down to a `!=` on a facet, which all
engines answer alike: an absent facet differs from every value. A field with a declared type may
have a column of its own (`services.common.fields.columns`), which is compared instead.

A string of a user reaches the expression language only as an operand, written as a literal in
which every character that could end it is escaped. Names are checked against a pattern and travel
as digests, and so do values that are compared with facets.
"""

import operator
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any

from services.common.collection import Field
from services.common.errors import Conflict, InvalidFilter
from services.common.fields.columns import (
    NO_NUMBER,
    NO_TEXT,
    NUMBER,
    operand_column,
    partition_column,
)
from services.common.fields.names import RULE, is_field_name
from services.common.fields.operands import COMPARISONS, check_bounds, check_value, kind_of
from services.common.fields.values import MIN_INTEGER

MAX_CONDITIONS = 200
MAX_DEPTH = 10

_OPPOSITES = {"gt": "<=", "gte": "<", "lt": ">=", "lte": ">"}
_OPERATORS = "ne, gt, gte, lt, lte, any, all"
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})
"""The two escapes that every engine reads; the embedded one knows none for a line break."""
_HOLD = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_CONTROLS = frozenset(map(chr, range(32)))
"""Characters that no engine reads in a literal, and no keyword has."""
_DIGEST_BYTES = 8
_BESIDE_LEAST = {">": (">=", MIN_INTEGER + 1), "<=": ("<", MIN_INTEGER + 1)}
"""The comparisons with the least integer as comparisons with the next one."""


def facets(fields: Mapping[str, Any]) -> dict[str, str | int]:
    """The facets of a document's metadata, as a flat JSON object.

    `<name>=<digest>` is 1 for each value that the field is or holds, and `<name>` is the kind of a
    single value, "n" for a number and "s" for a string; booleans and lists have no kind.
    """
    marks: dict[str, str | int] = {}
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            marks[_holds(name, item)] = 1
        if kind := kind_of(value):
            marks[name] = kind
    return marks


def check_prepared(expression: str, collection: str, *, prepared: bool) -> None:
    """Raises Conflict for an expression that is not empty on a collection whose rows are not
    prepared for filters."""
    if expression and not prepared:
        raise Conflict(
            f"The collection {collection} was filled by an earlier version, which did not prepare"
            " its rows for filters; rebuild it, or leave the filter out."
        )


def compile_filter(
    condition: Mapping[str, Any] | None,
    columns: Collection[str] = (),
    partition: str | None = None,
) -> str:
    """The Milvus expression for a filter in a partition, or in the whole collection if None; empty
    when there is nothing to filter by.

    `columns` are the typed columns of the collection. Raises InvalidFilter, which says where and
    why.
    """
    selected = _Compiler(columns).group(condition, negated=False, depth=0) if condition else ""
    if partition is None:
        return selected
    key = partition_column(columns)
    if key is None:
        raise InvalidFilter(
            "partition: the collection has no partition key, which is named when it is created;"
            " search it without a partition, or with a filter on a field."
        )
    check_value("partition", partition, spaces="")
    within = f"({key} == {_constant(partition)})"
    return f"{within} and {selected}" if selected else within


class _Compiler:
    """Compiles one filter. Negations are pushed down to the leaves (De Morgan)."""

    def __init__(self, columns: Collection[str]) -> None:
        self._columns = columns
        self._conditions = 0

    def group(self, condition: object, *, negated: bool, depth: int) -> str:
        if not isinstance(condition, Mapping) or not condition:
            raise InvalidFilter("A filter is a JSON object with at least one condition.")
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"The filter is nested more than {MAX_DEPTH} levels deep.")
        parts = [
            self._entry(name, value, negated=negated, depth=depth + 1)
            for name, value in condition.items()
        ]
        return _join(parts, "and", negated=negated)

    def _entry(self, name: str, value: object, *, negated: bool, depth: int) -> str:
        if name == "not":
            return self.group(value, negated=not negated, depth=depth)
        if name in ("and", "or"):
            if not isinstance(value, list) or not value:
                raise InvalidFilter(f"`{name}` takes a list of filters, at least one.")
            parts = [self.group(item, negated=negated, depth=depth) for item in value]
            return _join(parts, name, negated=negated)
        if not is_field_name(name):
            raise InvalidFilter(f"{name[:80]!r} cannot be a field: {RULE}.")
        if not isinstance(value, Mapping):
            return self._leaf(name, "is", value, negated=negated)
        if not value:
            raise InvalidFilter(f"`{name}` has no condition; use one of {_OPERATORS}.")
        check_bounds(name, value)
        parts = [
            self._leaf(name, operator, operand, negated=negated)
            for operator, operand in value.items()
        ]
        return _join(parts, "and", negated=negated)

    def _leaf(self, name: str, operator: str, operand: object, *, negated: bool) -> str:
        self._count(1)
        if operator in ("is", "ne"):
            return self._membership(name, operand, negated=negated != (operator == "ne"))
        if operator in COMPARISONS:
            return self._range(name, operator, operand, negated=negated)
        if operator in ("any", "all"):
            if not isinstance(operand, list) or not operand:
                raise InvalidFilter(f"`{name}`: `{operator}` takes a list of values, at least one.")
            self._count(len(operand))
            parts = [self._membership(name, value, negated=negated) for value in operand]
            return _join(parts, "or" if operator == "any" else "and", negated=negated)
        raise InvalidFilter(f"`{name}`: {operator[:80]!r} is no operator; use one of {_OPERATORS}.")

    def _count(self, conditions: int) -> None:
        self._conditions += conditions
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilter(f"The filter has more than {MAX_CONDITIONS} conditions.")

    def _membership(self, name: str, value: object, *, negated: bool) -> str:
        """Whether the field is the value or holds it."""
        check_value(name, value)
        unequal = "!=" if negated else "=="
        column = operand_column(self._columns, name, value)
        if column is not None and value != NO_NUMBER and _CONTROLS.isdisjoint(str(value)):
            return f"({column} {unequal} {_constant(value)})"
        return f"({_facet(_holds(name, value))} {unequal} 1)"

    def _range(self, name: str, operator: str, operand: object, *, negated: bool) -> str:
        sign = _OPPOSITES[operator] if negated else COMPARISONS[operator]
        if (column := operand_column(self._columns, name, operand)) is not None:
            return _compared(column, sign, operand, negated=negated)
        if operand == MIN_INTEGER:
            # As the decimal that it is written as, it would equal the next integers.
            sign, operand = _BESIDE_LEAST.get(sign, (sign, operand))
        range_ = f"{Field.FIELDS}[{_literal(name)}] {sign} {_literal(operand)}"
        if not negated:
            return f"({range_})"
        return f'({_facet(name)} != "{kind_of(operand)}" or {range_})'


def _compared(column: str, sign: str, operand: Any, *, negated: bool) -> str:
    """The range on a column. Rows without a value belong to its complement and not to the range;
    that they are left out or added is written only where the comparison does not do so already."""
    none = NO_NUMBER if kind_of(operand) == NUMBER else NO_TEXT
    range_ = f"{column} {sign} {_constant(operand)}"
    if _HOLD[sign](none, operand) == negated:
        return f"({range_})"
    if negated:
        return f"({range_} or {column} == {_constant(none)})"
    return f"({range_} and {column} != {_constant(none)})"


def _join(parts: list[str], word: str, *, negated: bool) -> str:
    if negated:
        word = {"and": "or", "or": "and"}[word]
    return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


def _facet(key: str) -> str:
    return f"{Field.FACETS}[{_literal(key)}]"


def _holds(name: str, value: object) -> str:
    """The facet of a field that is a value or holds it; equal numbers have one digest."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    kind = "b" if isinstance(value, bool) else kind_of(value)
    content = f"{kind}{value}".encode("utf-8", "surrogatepass")
    return f"{name}={blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"


def _constant(value: Any) -> str:
    """An operand in the form in which a typed column is compared with it."""
    return _literal(value) if isinstance(value, str) else repr(float(value))


def _literal(value: object) -> str:
    """A constant of the expression language; whole numbers are written without a point, since
    engines compare integers exactly and floating-point numbers not. The least integer is written as
    a decimal: engines read its digits before its sign, and they are too many."""
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if value == MIN_INTEGER:
        return repr(float(MIN_INTEGER))
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return repr(value)
