"""Filters in the form of Haystack's pipelines as filters of a search."""

from collections.abc import Mapping
from typing import Any

from xunwen.client import XunwenError

_COMPARISONS = {"!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "in": "any"}


def filter_of(given: object) -> dict[str, Any]:
    """The filter of a search that selects the same documents.

    Raises XunwenError for operators and forms that Haystack does not have; the gateway refuses
    values that no field has.
    """
    if not isinstance(given, Mapping):
        raise XunwenError(
            f"{str(given)[:80]!r} is no filter; write it as"
            ' {"field": "meta.year", "operator": ">=", "value": 2015}.'
        )
    operator = given.get("operator")
    if "field" in given:
        if "value" not in given:
            raise XunwenError(f"The filter of {given['field']} has no `value`.")
        return _comparison(str(given["field"]).removeprefix("meta."), operator, given["value"])
    conditions = given.get("conditions")
    if not isinstance(conditions, list) or not conditions:
        raise XunwenError("A filter has `field` and `value`, or `conditions`, at least one.")
    parts = [filter_of(each) for each in conditions]
    if operator == "OR":
        return {"or": parts}
    if operator == "AND":
        return {"and": parts}
    if operator == "NOT":
        return {"not": {"and": parts}}
    raise XunwenError(f"{operator!r} joins no conditions; use AND, OR or NOT.")


def _comparison(field: str, operator: object, value: object) -> dict[str, Any]:
    # As a plain value, an object would be read as operators.
    if operator == "==":
        return {field: {"any": [value]}}
    if operator == "not in":
        return {"not": {field: {"any": value}}}
    name = _COMPARISONS.get(str(operator))
    if name is None:
        known = ", ".join(["==", *_COMPARISONS, "not in"])
        raise XunwenError(f"{operator!r} compares nothing; use one of {known}.")
    return {field: {name: value}}
