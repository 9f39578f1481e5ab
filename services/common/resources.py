"""Gives routes the resources that the lifespan opened."""

from typing import Any

from fastapi import Depends, Request


def opened(name: str) -> Any:
    """A FastAPI dependency that gives the resource `name` of the application's lifespan.

    Written once in each service, as a type that routes name in their signatures::

        BookDep = Annotated[JobBook, opened("book")]
    """

    async def read(request: Request) -> Any:
        return getattr(request.state, name)

    return Depends(read)
