"""Checks the first objects of a JSON input, which has no header that names its columns."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import islice
from typing import Any

from services.common.errors import UnsupportedFormat
from services.common.fields.names import HALF
from services.indexer.intake.formats import json_object
from services.indexer.intake.header import check_columns, check_kinds
from services.indexer.intake.json_array import array
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput

SAMPLED = 100
"""Number of lines, elements or rows at the beginning of an input that are looked at."""


def check_jsonl(text: bytes, mapping: FieldMapping) -> FieldMapping:
    """The mapping for JSON lines. Raises InvalidRequest, UnsupportedFormat."""
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        raise UnsupportedFormat(
            "The input is a JSON array, but `format` or the name of the file says jsonl, which is"
            " one object a line; declare format=json."
        )
    objects = list(_objects(text))
    if text and not text.startswith(b"{") and not objects:
        raise UnsupportedFormat(
            "The input does not begin with a JSON object; declare format=csv, tsv or lines if it"
            " is one of those."
        )
    return _check_keys(objects, mapping)


def check_array(text: bytes, mapping: FieldMapping) -> FieldMapping:
    """The mapping for a JSON array. Raises InvalidRequest, UnsupportedFormat."""
    begun = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if begun.startswith(b"{"):
        raise UnsupportedFormat(
            "The input begins with a JSON object, but format=json is one array of objects. Declare"
            " format=jsonl if it is one object a line."
        )
    if begun and not begun.startswith(b"["):
        raise UnsupportedFormat(
            "The input is no JSON, but `format` or the name of the file says json."
        )
    objects: list[dict[str, Any]] = []
    with suppress(BadInput):  # the beginning ends within an element
        for record in islice(array(BytesIO(text)), SAMPLED):
            if record.values is not None:
                objects.append(record.values)  # noqa: PERF401 - kept when the array breaks off
    return _check_keys(objects, mapping)


def _objects(text: bytes) -> Iterator[dict[str, Any]]:
    """The objects among the first lines. Bad lines are left out here, since the job rejects them
    one by one."""
    for line in text.splitlines()[:SAMPLED]:
        values, _ = json_object(line)
        if values is not None:
            yield values


def _check_keys(objects: list[dict[str, Any]], mapping: FieldMapping) -> FieldMapping:
    """The mapping for these objects. Raises InvalidRequest if several objects are all wrong in the
    same way."""
    if len(objects) < 2:
        return mapping
    keys = list(dict.fromkeys(key for item in objects for key in item if _is_column(key)))
    own = list(mapping.own().values())
    without_id = not any(item.get(mapping.id) not in (None, "") for item in objects)
    if without_id or set(mapping.content()).isdisjoint(keys):
        usual = check_columns(keys, mapping.model_copy(update={"fields": None}))
        mapping = mapping.model_copy(update=usual.own())
        own = list(usual.own().values())
    if mapping.fields is None:
        common = [key for key in keys if all(key in item for item in objects)]
        check_columns([*own, *(key for key in common if key not in own)], mapping)
        kinds = {key: _nested([item[key] for item in objects]) for key in common}
        check_kinds({key: reason for key, reason in kinds.items() if reason}, mapping)
    return mapping


def _is_column(key: str) -> bool:
    """Whether a key may be that of all objects. One with half a character costs its own objects
    only, and no message could show it."""
    return key != "fields" and not HALF.search(key)


def _nested(values: list[Any]) -> str:
    """The reason why none of these values can be metadata; empty unless the reason is of the same
    kind for all."""
    if all(isinstance(value, dict) for value in values):
        return "holds objects"
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) == len(values) and all(
        any(isinstance(item, dict | list) for item in value) for value in lists
    ):
        return "holds lists of lists or objects"
    return ""
