"""Refuses query parameters that a route does not have, since a typo changes what a call does."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel


async def refuse_unknown(request: Request) -> None:
    """A FastAPI dependency of routes. Raises RequestValidationError for each parameter that the
    route does not have; the message names those that it has."""
    if not request.scope["query_string"]:
        return
    known = sorted(set(_names(request.scope["route"].dependant)))
    unknown = [(name, value) for name, value in request.query_params.items() if name not in known]
    if not unknown:
        return
    possible = f"this call takes {', '.join(known)}" if known else "this call takes none"
    reason = f"there is no such parameter; {possible}"
    raise RequestValidationError(
        [
            {"type": "unknown_parameter", "loc": ("query", name), "msg": reason, "input": value}
            for name, value in unknown
        ]
    )


def _names(dependant: Dependant) -> Iterator[str]:
    """The names of all query parameters of a route and of its dependencies."""
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield parameter.alias
    for each in dependant.dependencies:
        yield from _names(each)
