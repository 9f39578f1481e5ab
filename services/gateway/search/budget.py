"""The time that a search may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.errors import DeadlineExceeded
from services.common.request_context import LATE_SECONDS, Deadline
from services.gateway.search.schemas import SearchOptions
from services.gateway.settings import GatewaySettings

_GRACE_SHARE = 0.08
_GRACE_SECONDS = LATE_SECONDS + 0.05
"""Seconds after the budget, and a fraction of it, at which a missing answer is given up. The
cascade keeps the budget by itself, and exceeds it by LATE_SECONDS if nothing has been found by
then."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The milliseconds that one request may take, however many searches it holds."""

    ms: int

    @classmethod
    def of(cls, options: SearchOptions, settings: GatewaySettings) -> "Budget":
        """The budget that the request asks for, or the default, within the settings' limit."""
        return cls(min(options.budget_ms or settings.budget_ms, settings.max_budget_ms))

    def deadline(self) -> Deadline:
        """The moment at which the budget ends, if it begins now."""
        return Deadline.after(self.ms / 1000)

    @asynccontextmanager
    async def kept(self, deadline: Deadline) -> AsyncIterator[None]:
        """Cancels what it encloses at a grace after the deadline. Raises DeadlineExceeded."""
        grace = self.ms / 1000 * _GRACE_SHARE + _GRACE_SECONDS
        try:
            async with asyncio.timeout(deadline.remaining() + grace):
                yield
        except TimeoutError as error:
            raise self.exceeded() from error

    def exceeded(self) -> DeadlineExceeded:
        """The error for a caller whose search did not end in time."""
        return DeadlineExceeded(
            f"The search did not end within {self.ms} ms;"
            " give it more `budget_ms` or a smaller `recall_k`."
        )
