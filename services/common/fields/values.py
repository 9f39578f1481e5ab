"""Metadata values: which ones can be stored, and how stored ones are read.

A value is a text, an integer of 64 bits, a finite number, true or false, or a list of one of
these kinds. Every way into the index (JSON lines, CSV, Parquet, `PUT`, documents in JSON) asks
`storable`; everything that answers with stored metadata asks `readable`, so that a row written
by an older version never makes an answer fail.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

MAX_STRING_BYTES = 4_096
"""Limit of a text among the metadata, in bytes of UTF-8."""
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)

Scalar = str | int | float | bool
FieldValue = Scalar | list[str] | list[bool] | list[int] | list[float]
"""The type of a stored value, for reading. Values that come in are checked by `storable`."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_ALWAYS_READABLE = frozenset({int, bool})


def storable(value: object) -> FieldValue:
    """The value as it is stored. Raises ValueError, whose message says what is wrong with it.

    The result equals the value that was given. A list of integers and decimals becomes a list of
    decimals, so that a list has one kind.
    """
    if isinstance(value, (list, tuple)):
        return _list(list(value))
    return _scalar(value)


def checked_text(value: str, limit: int) -> str:
    """The text, if it has at most `limit` bytes of UTF-8. Raises ValueError with the reason."""
    if _SURROGATE.search(value):
        raise ValueError("holds half a character (a lone surrogate)")
    size = len(value) if value.isascii() else len(value.encode())
    if size > limit:
        raise ValueError(f"has {size:,} bytes, at most {limit:,} are possible")
    if "\x00" in value:
        raise ValueError("holds a NUL character")
    return value


def readable(fields: Mapping[str, Any]) -> dict[str, FieldValue]:
    """Stored metadata as an answer shows them.

    Values that `storable` would refuse are left out; only halves of characters are replaced, by
    U+FFFD, so that the rest of their text is shown.
    """
    out: dict[str, FieldValue] = {}
    for name, value in fields.items():
        kind = type(value)
        if kind in _ALWAYS_READABLE or (kind is str and value.isascii()):
            out[name] = value
            continue
        try:
            out[name] = storable(_whole(value))
        except ValueError:
            continue
    return out


def texts_in(value: FieldValue) -> list[str]:
    """The texts of a value: itself, or those of its items, if they are texts."""
    return [
        item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
    ]


def texts_of(fields: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """The texts among metadata, those in lists too."""
    return tuple(text for value in fields.values() for text in texts_in(value))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _scalar(value: object) -> Scalar:
    if isinstance(value, str):
        return checked_text(value, MAX_STRING_BYTES)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise ValueError(
                "is an integer beyond 64 bits, which cannot be stored; send it as a text"
            )
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is not a finite number (NaN or infinite); leave the value out")
        return value
    if isinstance(value, Mapping):
        raise ValueError("is an object; metadata are texts, numbers, true, false or lists of these")
    if value is None:
        raise ValueError("is null")
    raise ValueError("is no text, number, true or false")


def _list(items: list[Any]) -> FieldValue:
    kinds = set()
    for item in items:
        if item is None:
            raise ValueError("is a list with a null in it; leave the null out")
        if isinstance(item, (list, Mapping)):
            raise ValueError("is a list of lists or objects; a list holds texts or numbers")
        _scalar(item)
        kinds.add(_kind(item))
    if kinds == {"integers", "decimals"}:
        decimals = [float(item) for item in items]
        if decimals != items:
            raise ValueError("is a list of integers and decimals, of which one would lose digits")
        return decimals
    if len(kinds) > 1:
        raise ValueError(f"is a list that mixes {' and '.join(sorted(kinds))}; it needs one kind")
    return items


def _kind(item: Scalar) -> str:
    if isinstance(item, str):
        return "texts"
    if isinstance(item, bool):
        return "true and false"
    return "integers" if isinstance(item, int) else "decimals"
