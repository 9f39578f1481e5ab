"""The caller of a request, as a type for the signatures of routes."""

from typing import Annotated

from services.common.errors import CollectionNotFound
from services.common.server.resources import opened
from services.gateway.access.keys import ApiKey


def check_sees(caller: ApiKey, collection: str) -> None:
    """Raises CollectionNotFound for a collection that the key may not see.

    The error is the same whether or not the collection exists.
    """
    if not caller.sees(collection):
        raise CollectionNotFound(f"There is no collection {collection!r} for this key.")


Caller = Annotated[ApiKey, opened("caller")]
