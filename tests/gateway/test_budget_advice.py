"""A search that was too slow is answered with what its caller can do about it."""

import asyncio

import pytest

from services.common.errors import DeadlineExceeded
from services.common.request_context import Deadline
from services.gateway.search.query.budget import Budget
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.settings import GatewaySettings
from tests.virtual_time import virtual_time

SETTINGS = GatewaySettings(budget_ms=3_000, max_budget_ms=5_000)
MORE = "Give the search more `budget_ms` or a smaller `recall_k`."
MOST = "A search may take 5000 ms at most here; give it a smaller `recall_k`."
LATE = "The recall service did not answer within the budget."


@pytest.mark.parametrize(
    ("asked", "late", "expected"),
    [
        (None, None, f"The search did not end within 3000 ms. {MORE}"),
        (50, None, f"The search did not end within 50 ms. {MORE}"),
        (50, LATE, f"{LATE} {MORE}"),
        (5_000, None, f"The search did not end within 5000 ms. {MOST}"),
        (60_000, None, f"The search did not end within 5000 ms. {MOST}"),
        (60_000, LATE, f"{LATE} {MOST}"),
    ],
)
def test_the_advice_is_one_that_can_be_followed(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, late: str | None, expected: str
) -> None:
    budget = Budget.of(SearchOptions(budget_ms=asked), SETTINGS)

    async def search() -> None:
        async with budget.kept(Deadline.after(budget.ms / 1000)):
            if late is not None:
                raise DeadlineExceeded(late)
            await asyncio.sleep(3600)

    with virtual_time(monkeypatch) as run, pytest.raises(DeadlineExceeded) as caught:
        run(search())
    assert caught.value.detail == expected
