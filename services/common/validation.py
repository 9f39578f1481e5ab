"""Errors of pydantic as a sentence for people."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from services.common.patterns import what_to_write

_NO_OBJECT = ("model_attributes_type", "model_type", "dict_type")
"""Kinds of errors of values in the place of JSON objects."""
_UNKNOWN = "extra_forbidden"
"""Kind of the error of a member that an object may not have."""
_IN_A_FILE = {
    **dict.fromkeys(_NO_OBJECT, "a section with settings is needed"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list is needed"),
    "path_type": "a path is needed",
    _UNKNOWN: "there is no such setting",
}
"""What to write in a file of settings, by the kind of an error."""


def reason_of(item: Mapping[str, Any], possible: Sequence[str] = ()) -> str:
    """What is wrong with a value, or what to write where a pattern is explained; `item` is one of
    the errors of a ValidationError, with its context. `possible` are the members that an object
    with an unknown one may have, if they are known."""
    if item["type"] in _NO_OBJECT:
        return "a JSON object is needed"
    if item["type"] == _UNKNOWN:
        return _no_such_member(str(item["loc"][-1]), possible)
    written = what_to_write(str(item.get("ctx", {}).get("pattern")))
    return written or str(item["msg"]).removeprefix("Value error, ")


def _no_such_member(name: str, possible: Sequence[str]) -> str:
    if not possible:
        return "there is no such member"
    near = get_close_matches(name, possible, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"there is no such member; {meant}Possible here: {', '.join(possible)}"


def first_reason(error: ValidationError, depth: int = 3) -> str:
    """The first error as `where: what`, without the value that was given.

    `where` is the path to the value, at most `depth` steps of it, and absent for an error of the
    whole object.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"][:depth])
    reason = reason_of(first)
    return f"{where}: {reason}" if where else reason


def every_reason(error: ValidationError) -> str:
    """All errors of a file of settings as `where: what`, with semicolons between them; an error of
    the whole file has no `where`."""
    reasons = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"]))
        reason = _IN_A_FILE.get(item["type"]) or reason_of(item)
        reasons.append(": ".join(filter(None, (where, reason))))
    return "; ".join(reasons)
