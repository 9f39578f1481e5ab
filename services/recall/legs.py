"""Waits for the legs of a search within its deadline."""

import asyncio
import logging
from collections.abc import Mapping

from services.common.errors import DeadlineExceeded, SearchError
from services.common.request_context import Deadline
from services.recall.domain import Found

logger = logging.getLogger(__name__)

_LEG_SHARE = 0.9
"""Share of the remaining time that the legs have; the rest is for answering from a leg that came in
time."""


async def first_come(
    legs: Mapping[str, "asyncio.Task[list[Found]]"], deadline: Deadline
) -> dict[str, list[Found]]:
    """The legs that answered in time, or the first of them soon after; the others are cancelled.

    Raises the error of the first leg if none answered.
    """
    try:
        await _ended(legs, deadline)
    finally:
        for task in legs.values():
            task.cancel()
    found: dict[str, list[Found]] = {}
    errors: list[SearchError] = []
    for name, task in legs.items():
        if not task.done():
            errors.append(DeadlineExceeded("The index did not answer within the budget."))
            continue
        try:
            found[name] = task.result()
        except SearchError as error:
            logger.warning("a leg of recall failed", extra={"leg": name, "code": error.code})
            errors.append(error)
    if not found:
        raise errors[0]
    return found


async def _ended(legs: Mapping[str, "asyncio.Task[list[Found]]"], deadline: Deadline) -> None:
    """Returns when all legs have ended; otherwise at the deadline if one has found something, else
    when the first one does."""
    _, late = await asyncio.wait(legs.values(), timeout=deadline.remaining() * _LEG_SHARE)
    while late and not any(map(_has_found, legs.values())):
        at_last = deadline.at_last().remaining()
        _, late = await asyncio.wait(late, timeout=at_last, return_when=asyncio.FIRST_COMPLETED)
        if not at_last:
            return


def _has_found(leg: "asyncio.Task[list[Found]]") -> bool:
    return leg.done() and leg.exception() is None
