"""Errors of pydantic as a sentence for people."""

from pydantic import ValidationError


def first_reason(error: ValidationError, depth: int = 3) -> str:
    """The first error as `where: what`, without the value that was given.

    `where` is the path to the value, at most `depth` steps of it, and absent for an error of the
    whole object.
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(step) for step in first["loc"][:depth])
    reason = first["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason


def every_reason(error: ValidationError) -> str:
    """All errors as `where: what`, with semicolons between them; an error of the whole object has
    no `where`."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
        for item in error.errors()
    )
