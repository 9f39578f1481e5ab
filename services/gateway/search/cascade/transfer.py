"""The part of a budget that the answer of a service needs for its way back."""

from services.common.request_context import DEADLINE_HEADER, Deadline

_TRANSFER_SHARE = 0.04
"""Fraction of a service's time that is kept back for the transfer of its answer."""
_TRANSFER_SECONDS = 0.005
"""Least time in seconds for the transfer: a thousand candidates are read in about this time."""
_MOST_TRANSFER_SHARE = 0.25
"""Fraction that is never exceeded, so that small budgets are spent on the search."""


def answer_by(deadline: Deadline) -> dict[str, str]:
    """The header with a deadline that is earlier than the gateway's own.

    So the result that a service has by then, be it one leg or the coarse order, still arrives in
    time.
    """
    left = deadline.remaining()
    transfer = max(left * _TRANSFER_SHARE, min(_TRANSFER_SECONDS, left * _MOST_TRANSFER_SHARE))
    return {DEADLINE_HEADER: Deadline.after(left - transfer).header()}
