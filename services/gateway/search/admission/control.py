"""Admits as many searches at once as the services behind can take, with fair shares between keys.

A search that finds no place waits for one. While the queue has room, it waits as long as its budget
leaves time to be computed. A full queue is a crowd: then every search waits only as long as it can
still end within twice its unloaded time, and is refused after that, early enough to be sent
elsewhere, instead of all becoming slow. A free place goes to the key that holds the fewest.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.errors import DeadlineExceeded, Overloaded, RateLimited, SearchError
from services.common.request_context import Deadline
from services.gateway.search.admission.adaptive_limit import AdaptiveLimit

_WAIT_SECONDS = 0.1
"""Seconds to wait in a crowd before a search of the kind has been seen."""
_LONGEST_WAIT = 0.5
"""Most seconds to wait in a crowd."""
_CROWD_SECONDS = 1.0
"""Seconds for which the queue counts as a crowd after it was full."""
_WAITING_PER_PLACE = 2
_FEWEST_WAITING = 4
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class Slot:
    """A place that a running search holds."""

    alone: bool
    typical: bool = True

    def untypical(self) -> None:
        """Says that this search's time tells nothing about the load, since it was cut short."""
        self.typical = False


@dataclass(slots=True)
class _Waiter:
    key: str
    granted: "asyncio.Future[None]"
    until: float
    """Time of the event loop at which the search stops waiting."""
    until_in_crowd: float
    """Time of the event loop at which the search stops waiting in a crowd."""
    timeout: asyncio.Timeout | None = None

    def hurry(self) -> None:
        """Makes the search wait no longer than in a crowd."""
        self.until = min(self.until, self.until_in_crowd)
        # A waiter whose time has just run out is about to leave by itself.
        if self.timeout is not None and not self.timeout.expired():
            self.timeout.reschedule(self.until)


@dataclass(slots=True)
class AdmissionControl:
    """Gives out places to running searches, and holds the queue of those that wait."""

    limit: AdaptiveLimit
    in_flight: int = 0
    refused: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    _urgent: dict[str, deque[_Waiter]] = field(default_factory=dict)
    """Urgent searches by key, in the order in which the keys were last served."""
    _patient: deque[_Waiter] = field(default_factory=deque)
    _reserved: int = 0
    """Places that were granted to waiters who do not run yet."""
    _crowd_until: float = 0.0
    """Time of the event loop until which the queue counts as crowded."""

    @asynccontextmanager
    async def slot(
        self, key: str, kind: str, deadline: Deadline, patience: float = 0.0
    ) -> AsyncIterator[Slot]:
        """Holds a place while the block runs.

        With `patience`, in seconds, the search takes only places that urgent ones leave. Raises
        Overloaded, or RateLimited if `key` alone has too many searches under way.
        """
        await self._enter(key, kind, deadline, patience)
        self.in_flight += 1
        self._held[key] += 1
        slot = Slot(alone=self.in_flight == 1, typical=not patience)
        started, busy = time.perf_counter(), self.in_flight >= self.limit.value / 2
        try:
            yield slot
        except SearchError as error:
            if self.in_flight > 1 and isinstance(error, (Overloaded, DeadlineExceeded)):
                self.limit.pushed_back()
            raise
        else:
            alone = slot.alone and self.in_flight == 1
            if slot.typical:
                seconds = time.perf_counter() - started
                self.limit.took(kind, seconds, alone=alone, busy=busy)
            elif not patience and self.in_flight > 1:
                self.limit.pushed_back()
        finally:
            self.in_flight -= 1
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]
            self._grant()

    @property
    def waiting(self) -> int:
        """Number of searches in the queue."""
        return sum(map(len, self._urgent.values())) + len(self._patient)

    async def _enter(self, key: str, kind: str, deadline: Deadline, patience: float) -> None:
        if self._free() > 0 and not self._urgent and not (patience and self._patient):
            return
        waiter = self._waiter(key, kind, deadline, patience)
        if patience:
            self._patient.append(waiter)
        else:
            self._make_room(key)
            self._urgent.setdefault(key, deque()).append(waiter)
            if self._crowded():
                waiter.hurry()
        enters = False
        try:
            async with asyncio.timeout_at(waiter.until) as waiter.timeout:
                await waiter.granted
            enters = True
        except TimeoutError:
            raise self._refusal(key) from None
        finally:
            self._forget(waiter)
            self._give_back(waiter)
            if not enters:
                self._grant()  # A place that it got in this moment is the next one's.

    def _waiter(self, key: str, kind: str, deadline: Deadline, patience: float) -> _Waiter:
        loop = asyncio.get_running_loop()
        now, left = loop.time(), deadline.remaining()
        worth = self.limit.worth_waiting(kind)
        in_crowd = min(_WAIT_SECONDS if worth is None else worth, _LONGEST_WAIT, left)
        in_budget = left - (self.limit.expected(kind) or 0.0)
        seconds = min(patience, left) if patience else max(in_crowd, in_budget)
        return _Waiter(key, loop.create_future(), now + seconds, now + in_crowd)

    def _crowded(self) -> bool:
        return asyncio.get_running_loop().time() < self._crowd_until

    def _free(self) -> int:
        return max(1, int(self.limit.value)) - self.in_flight - self._reserved

    def _grant(self) -> None:
        while self._free() > 0 and (waiter := self._next()) is not None:
            self._reserved += 1
            waiter.granted.set_result(None)

    def _next(self) -> _Waiter | None:
        """The next waiter of the key with the fewest places; of equal keys, that of the first."""
        while self._urgent:
            key = min(self._urgent, key=lambda key: self._held[key])
            waiting = self._urgent.pop(key)
            waiter = waiting.popleft()
            if waiting:
                self._urgent[key] = waiting  # It goes behind the others.
            if not waiter.granted.done():
                return waiter
        while self._patient:
            waiter = self._patient.popleft()
            if not waiter.granted.done():
                return waiter
        return None

    def _make_room(self, key: str) -> None:
        """Bounds the queue: the key with the most waiters loses one, or `key` is refused."""
        bound = max(_FEWEST_WAITING, int(self.limit.value * _WAITING_PER_PLACE))
        if sum(map(len, self._urgent.values())) < bound:
            return
        self._crowd_until = asyncio.get_running_loop().time() + _CROWD_SECONDS
        for waiting in self._urgent.values():
            for waiter in waiting:
                waiter.hurry()
        greediest = max(self._urgent, key=lambda name: len(self._urgent[name]))
        own = len(self._urgent.get(key, ()))
        if greediest == key or len(self._urgent[greediest]) <= own + 1:
            raise self._refusal(key)
        waiter = self._urgent[greediest].pop()
        if not waiter.granted.done():
            self.refused += 1
            waiter.granted.set_exception(_more_than_its_share())

    def _forget(self, waiter: _Waiter) -> None:
        waiting = self._urgent.get(waiter.key)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._urgent[waiter.key]
        if waiter in self._patient:
            self._patient.remove(waiter)

    def _give_back(self, waiter: _Waiter) -> None:
        """Ends the reservation of a waiter that takes its place now or has left."""
        granted = waiter.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            self._reserved -= 1

    def _refusal(self, key: str) -> SearchError:
        self.refused += 1
        keys = self._held.keys() | self._urgent.keys() | {key}
        own = self._held[key] + len(self._urgent.get(key, ()))
        if len(keys) > 1 and own > self.limit.value / len(keys):
            return _more_than_its_share()
        return Overloaded(
            "More searches are under way than can be answered in time; try again shortly.",
            retry_after=_RETRY_SECONDS,
        )


def _more_than_its_share() -> RateLimited:
    return RateLimited(
        "This key has more searches under way than its share while others wait;"
        " send fewer at a time.",
        retry_after=_RETRY_SECONDS,
    )
