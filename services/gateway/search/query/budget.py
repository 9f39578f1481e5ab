"""The time that a search may take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.common.errors import DeadlineExceeded
from services.common.request_context import LATE_SECONDS, Deadline
from services.gateway.search.query.schemas import SearchOptions
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
    most_ms: int
    """The largest budget of this gateway."""

    @classmethod
    def of(cls, options: SearchOptions, settings: GatewaySettings) -> "Budget":
        """The budget that the request asks for, or the default, within the settings' limit."""
        most = settings.max_budget_ms
        return cls(min(options.budget_ms or settings.budget_ms, most), most)

    def deadline(self) -> Deadline:
        """The moment at which the budget ends, if it begins now."""
        return Deadline.after(self.ms / 1000)

    @asynccontextmanager
    async def kept(self, deadline: Deadline) -> AsyncIterator[None]:
        """Cancels what it encloses at a grace after the deadline. Raises DeadlineExceeded, which
        says what to do, also in place of one that says only what was late."""
        grace = self.ms / 1000 * _GRACE_SHARE + _GRACE_SECONDS
        try:
            async with asyncio.timeout(deadline.remaining() + grace):
                yield
        except TimeoutError as error:
            raise self._exceeded(f"The search did not end within {self.ms} ms.") from error
        except DeadlineExceeded as error:
            raise self._exceeded(error.detail) from error

    def _exceeded(self, late: str) -> DeadlineExceeded:
        advice = "Give the search more `budget_ms` or a smaller `recall_k`."
        if self.ms == self.most_ms:
            advice = f"A search may take {self.ms} ms at most here; give it a smaller `recall_k`."
        return DeadlineExceeded(f"{late} {advice}")
