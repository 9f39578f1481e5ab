"""The members that a JSON body may have, for the message about one that it may not have."""

from collections.abc import Iterator, Sequence
from typing import get_args

from fastapi import Request
from pydantic import BaseModel


def possible_members(request: Request, where: Sequence[int | str]) -> list[str]:
    """The members of the object that holds the one at `where`, a path of pydantic that begins with
    `body`; empty if the route reads no models."""
    field = getattr(request.scope.get("route"), "body_field", None)
    if field is None or where[:1] != ("body",):
        return []
    return sorted(set(_members(field.field_info.annotation, where[1:-1])))


def _members(kind: object, path: Sequence[int | str]) -> Iterator[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if path:
            field = kind.model_fields.get(str(path[0]))
            yield from _members(field.annotation if field else None, path[1:])
        else:
            yield from (each.alias or name for name, each in kind.model_fields.items())
        return
    # What stands in a list or is one of several kinds lies one step deeper, by number or kind.
    for part in get_args(kind):
        yield from _members(part, path)
        if path:
            yield from _members(part, path[1:])
