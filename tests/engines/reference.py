"""What filters mean, in plain Python: the ids that every engine has to give."""

import operator
from collections.abc import Mapping
from typing import Any

_COMPARE = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def holds(condition: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether a document with these fields passes the filter."""
    return all(_entry(name, value, fields) for name, value in condition.items())


def _entry(name: str, value: Any, fields: Mapping[str, Any]) -> bool:
    if name == "not":
        return not holds(value, fields)
    if name == "and":
        return all(holds(item, fields) for item in value)
    if name == "or":
        return any(holds(item, fields) for item in value)
    if isinstance(value, Mapping):
        return all(_leaf(fields, name, word, operand) for word, operand in value.items())
    return _member(fields, name, value)


def _leaf(fields: Mapping[str, Any], name: str, word: str, operand: Any) -> bool:
    if word == "ne":
        return not _member(fields, name, operand)
    if word == "any":
        return any(_member(fields, name, value) for value in operand)
    if word == "all":
        return all(_member(fields, name, value) for value in operand)
    value = fields.get(name)
    if isinstance(value, list) or value is None or _kind(value) != _kind(operand):
        return False
    return _kind(value) != "boolean" and bool(_COMPARE[word](value, operand))


def _member(fields: Mapping[str, Any], name: str, value: Any) -> bool:
    if name not in fields:
        return False
    items = fields[name] if isinstance(fields[name], list) else [fields[name]]
    return any(_kind(item) == _kind(value) and item == value for item in items)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "text"
