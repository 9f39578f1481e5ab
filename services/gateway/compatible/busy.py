"""Asks a model's service for a portion of a call while others ask it too."""

from typing import TypeVar

from pydantic import BaseModel

from services.common.errors import DeadlineExceeded, Overloaded
from services.common.service_client import ServiceClient

Answer = TypeVar("Answer", bound=BaseModel)

_ATTEMPTS = 3
"""Number of times that a portion is asked for; each may take the whole budget of a call of the
service."""
_RETRY_SECONDS = 10.0


async def answer_of(
    service: ServiceClient, path: str, answer: type[Answer], body: BaseModel
) -> Answer:
    """The answer to a portion, which is asked for again if it came too late: a call may be of many
    portions, and what was done for the others would be lost.

    Raises Overloaded if the model stays busy, and what `ServiceClient.ask` raises.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await service.ask("POST", path, answer, body=body)
        except DeadlineExceeded:
            continue
    raise Overloaded(
        "The model is busy with other calls; try again shortly, or send fewer texts at once.",
        retry_after=_RETRY_SECONDS,
    )
