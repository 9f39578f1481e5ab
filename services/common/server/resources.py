"""Gives routes the resources that the lifespan opened, and the deadline of the request."""

from typing import Annotated, Any

from fastapi import Depends, Request

from services.common.request_context import Deadline, deadline_var


def opened(name: str) -> Any:
    """A FastAPI dependency that gives the resource `name` of the application's lifespan.

    Written once in each service, as a type that routes name in their signatures::

        BookDep = Annotated[JobBook, opened("book")]
    """

    async def read(request: Request) -> Any:
        return getattr(request.state, name)

    return Depends(read)


async def _deadline(request: Request) -> Deadline:
    return deadline_var.get() or Deadline.after(request.state.settings.timeout_seconds)


DeadlineDep = Annotated[Deadline, Depends(_deadline)]
"""The deadline that the caller sent, or else the budget `timeout_seconds` of the resource
`settings`."""
