"""Operands of metadata filters: the values that a field is compared with."""

import json
import math
from collections.abc import Mapping
from typing import Any

from services.common.errors import InvalidFilter
from services.common.fields.columns import NUMBER, TEXT
from services.common.fields.values import MAX_INTEGER, MIN_INTEGER

COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
"""The operators whose operands are bounds of a range, with their signs."""
_SHOWN = 40
"""Most characters of a bound that a message repeats."""


def kind_of(value: object) -> str:
    """The kind that ranges compare; empty for what has no order, a boolean or a list."""
    if isinstance(value, str):
        return TEXT
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return NUMBER
    return ""


def check_value(name: str, value: object, spaces: str = "\n\r\t") -> None:
    """Raises InvalidFilter unless the value is one that a document can hold.

    `spaces` are the control characters that a text may have.
    """
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise InvalidFilter(f"`{name}`: the number does not fit into 64 bits.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidFilter(f"`{name}`: a number must be finite.")
    elif isinstance(value, str):
        for char in value:
            if (char < " " and char not in spaces) or "\ud800" <= char < "\ue000":
                raise InvalidFilter(f"`{name}`: the text holds control characters.")
    else:
        raise InvalidFilter(f"`{name}`: a value is a string, a number, true or false.")


def check_bounds(name: str, conditions: Mapping[str, Any]) -> None:
    """Raises InvalidFilter unless the bounds among the conditions on a field are all numbers or all
    strings, since no value lies between a number and a string."""
    bounds = {word: bound for word, bound in conditions.items() if word in COMPARISONS}
    for word, bound in bounds.items():
        if not kind_of(bound):
            raise InvalidFilter(
                f"`{name}`: `{word}` takes one number or one string, such as"
                f' {{"{name}": {{"{word}": 2015}}}}.'
            )
        check_value(name, bound, spaces="")
    if len({kind_of(bound) for bound in bounds.values()}) > 1:
        written = [
            f"`{word}` {json.dumps(bound, ensure_ascii=False)[:_SHOWN]}"
            for word, bound in bounds.items()
        ]
        raise InvalidFilter(
            f"`{name}`: {', '.join(written[:-1])} and {written[-1]} are bounds of two kinds, and no"
            " value lies between a number and a string; write all of them as numbers, or all as"
            " strings, such as dates."
        )
