"""Metadata filters: structured JSON, compiled to an expression of Milvus.

    {"discipline": "数学", "year": {"gte": 2015}, "keywords": {"any": ["检索", "排序"]}}
    {"or": [{"discipline": "数学"}, {"not": {"year": {"lt": 2000}}}]}

Conditions side by side must all hold. A plain value asks whether the field is that value or,
if it is a list, holds it. Operators: ne, gt, gte, lt, lte, any, all. Under `not` and `ne`, a
document without the field counts as one that differs, on every Milvus.

No string of a user reaches the expression language: names are checked against a pattern, and
values are written by us as literals, every character of a string that could end it escaped.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from services.common.collection import Field
from services.common.errors import InvalidFilter

MAX_CONDITIONS = 200
MAX_DEPTH = 10

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_OPERATORS = "ne, gt, gte, lt, lte, any, all"
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def compile_filter(condition: Mapping[str, Any] | None) -> str:
    """The Milvus expression for a filter; empty when there is nothing to filter by.

    Raises InvalidFilter, which says where and why.
    """
    if not condition:
        return ""
    return _Compiler().group(condition, negated=False, depth=0)


class _Compiler:
    """One filter. Negations are pushed down to the leaves, where missing fields are settled."""

    def __init__(self) -> None:
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
        return _join(parts, "or" if negated else "and")

    def _entry(self, name: str, value: object, *, negated: bool, depth: int) -> str:
        if name == "not":
            return self.group(value, negated=not negated, depth=depth)
        if name in ("and", "or"):
            if not isinstance(value, list) or not value:
                raise InvalidFilter(f"`{name}` takes a list of filters, at least one.")
            parts = [self.group(each, negated=negated, depth=depth) for each in value]
            return _join(parts, name if not negated else {"and": "or", "or": "and"}[name])
        if not _NAME.fullmatch(name):
            raise InvalidFilter(f"{name[:80]!r} cannot be a field; names match {_NAME.pattern}.")
        if not isinstance(value, Mapping):
            return self._leaf(name, "is", value, negated=negated)
        if not value:
            raise InvalidFilter(f"`{name}` has no condition; use one of {_OPERATORS}.")
        parts = [
            self._leaf(name, operator, operand, negated=negated)
            for operator, operand in value.items()
        ]
        return _join(parts, "or" if negated else "and")

    def _leaf(self, name: str, operator: str, operand: object, *, negated: bool) -> str:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilter(f"The filter has more than {MAX_CONDITIONS} conditions.")
        if operator == "ne":
            operator, negated = "is", not negated
        path = f'{Field.FIELDS}["{name}"]'
        expression = self._positive(name, path, operator, operand)
        if not negated:
            return expression
        # The value of `not` on a missing field differs between versions of Milvus.
        return f"((not exists {path}) or (not {expression}))"

    def _positive(self, name: str, path: str, operator: str, operand: object) -> str:
        if operator == "is":
            literal = _literal(name, operand)
            return f"({path} == {literal} or json_contains_any({path}, [{literal}]))"
        if operator in _COMPARISONS:
            if isinstance(operand, bool):
                raise InvalidFilter(f"`{name}`: `{operator}` compares numbers or strings.")
            return f"({path} {_COMPARISONS[operator]} {_literal(name, operand)})"
        if operator in ("any", "all"):
            if not isinstance(operand, list) or not operand:
                raise InvalidFilter(f"`{name}`: `{operator}` takes a list of values, at least one.")
            self._conditions += len(operand)
            if self._conditions > MAX_CONDITIONS:
                raise InvalidFilter(f"The filter has more than {MAX_CONDITIONS} conditions.")
            parts = [self._positive(name, path, "is", value) for value in operand]
            return _join(parts, "or" if operator == "any" else "and")
        raise InvalidFilter(f"`{name}`: {operator[:80]!r} is no operator; use one of {_OPERATORS}.")


def _join(parts: list[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


def _literal(name: str, value: object) -> str:
    """A constant of the expression language."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise InvalidFilter(f"`{name}`: the number does not fit into 64 bits.")
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidFilter(f"`{name}`: a number must be finite.")
        return repr(value)
    if isinstance(value, str):
        return f'"{_text(name, value)}"'
    raise InvalidFilter(f"`{name}`: a value is a string, a number, true or false.")


def _text(name: str, value: str) -> str:
    for char in value:
        if (char < " " and char not in "\n\r\t") or "\ud800" <= char < "\ue000":
            raise InvalidFilter(f"`{name}`: the text holds control characters.")
    return value.translate(_ESCAPES)
