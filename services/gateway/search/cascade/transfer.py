"""Calls of recall and rank, whose answers need a part of the budget for their way back."""

from collections.abc import Callable
from typing import TypeVar

from services.common.calls.client import ServiceClient
from services.common.errors import Unavailable
from services.common.request_context import DEADLINE_HEADER, Deadline

Answer = TypeVar("Answer")

_TRANSFER_SHARE = 0.04
"""Fraction of a service's time that is kept back for the transfer of its answer."""
_TRANSFER_SECONDS = 0.005
"""Least time in seconds for the transfer: a thousand candidates are read in about this time."""
_MOST_TRANSFER_SHARE = 0.25
"""Fraction that is never exceeded, so that small budgets are spent on the search."""


async def posted(
    client: ServiceClient,
    path: str,
    content: bytes,
    deadline: Deadline,
    read: Callable[[bytes], Answer],
    *,
    wait_until: Deadline | None = None,
) -> Answer:
    """What `read` makes of the answer to a POST of JSON, which the service is to send before the
    deadline; it is awaited until the deadline, or until `wait_until`.

    Raises Unavailable if the answer cannot be read, DeadlineExceeded, or the error that the service
    reported.
    """
    response = await client.send(
        "POST",
        path,
        content=content,
        headers=_answer_by(deadline),
        deadline=wait_until or deadline,
    )
    try:
        return read(response.content)
    except (LookupError, TypeError, ValueError) as error:
        raise Unavailable(f"The {client.name} service gave no readable answer.") from error


def _answer_by(deadline: Deadline) -> dict[str, str]:
    """The header with a deadline that is earlier than the gateway's own.

    So the result that a service has by then, be it one leg or the coarse order, still arrives in
    time.
    """
    left = deadline.remaining()
    transfer = max(left * _TRANSFER_SHARE, min(_TRANSFER_SECONDS, left * _MOST_TRANSFER_SHARE))
    return {DEADLINE_HEADER: Deadline.after(left - transfer).header()}
