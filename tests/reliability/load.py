"""Load on a running gateway: an open loop of searches, each with what became of it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Outcome:
    """One search, from when it was due to its answer."""

    at: float
    """Seconds since the load began."""
    kind: str
    status: int
    """0 where the connection failed."""
    seconds: float
    degraded: tuple[str, ...] = ()
    retry_after: str | None = None
    code: str = ""
    """Of the problem, if it is one."""
    cached: bool = False
    """Whether the answer came from a cache."""

    @property
    def refused(self) -> bool:
        """For load, and with the time after which to come again."""
        return self.code in ("overloaded", "rate_limited") and self.retry_after is not None


@dataclass(slots=True)
class Load:
    http: httpx.AsyncClient
    started: float = field(default_factory=time.monotonic)
    outcomes: list[Outcome] = field(default_factory=list)
    _fresh: "itertools.count[int]" = field(default_factory=itertools.count)

    def now(self) -> float:
        return time.monotonic() - self.started

    async def search(self, kind: str, query: str | None = None, **options: Any) -> Outcome:
        """One search; without a `query` it asks what nobody has asked."""
        query = query or f"{next(self._fresh)} 号新问题 {time.time_ns()}"
        at = self.now()
        try:
            answer = await self.http.post("/v1/search", json={"query": query, **options})
            body = answer.json()
            degraded = tuple(body.get("degraded", ()))
            outcome = Outcome(
                at,
                kind,
                answer.status_code,
                self.now() - at,
                degraded,
                answer.headers.get("retry-after"),
                body.get("code", ""),
                bool(body.get("cached")),
            )
        except httpx.TransportError:
            outcome = Outcome(at, kind, 0, self.now() - at)
        self.outcomes.append(outcome)
        return outcome

    async def at_rate(
        self, per_second: float, seconds: float, one: Callable[[int], Any]
    ) -> list[Outcome]:
        """`one(n)` is started at fixed times, however long the others take."""
        tasks: list[asyncio.Task[Outcome]] = []
        begun = self.now()
        for number in range(max(1, int(per_second * seconds))):
            due = begun + number / per_second
            await asyncio.sleep(max(0.0, due - self.now()))
            tasks.append(asyncio.create_task(one(number)))
        return list(await asyncio.gather(*tasks))

    async def closed_loop(self, callers: int, seconds: float, **options: Any) -> float:
        """Accepted searches a second with so many callers that ask one after the other."""
        until = self.now() + seconds
        accepted = 0

        async def caller() -> None:
            nonlocal accepted
            while self.now() < until:
                outcome = await self.search("closed", **options)
                accepted += outcome.status == 200  # not in one line: += reads before it awaits

        await asyncio.gather(*(caller() for _ in range(callers)))
        return accepted / seconds


@asynccontextmanager
async def load_on(url: str) -> AsyncIterator[Load]:
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http:
        yield Load(http)


def percentile(outcomes: Sequence[Outcome], share: float) -> float:
    """Seconds; of the nearest rank."""
    ordered = sorted(outcome.seconds for outcome in outcomes)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
