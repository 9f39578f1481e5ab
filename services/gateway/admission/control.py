"""Admission of searches: as many at once as the services behind can take, fair between keys.

Who finds no place waits as long as it may still end within twice what a search takes alone; a place
that becomes free goes to the key that holds the fewest. Who is not served by then is refused, soon
enough to go elsewhere, instead of everybody becoming slow.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.errors import DeadlineExceeded, Overloaded, RateLimited, SearchError
from services.common.request_context import Deadline
from services.gateway.admission.adaptive_limit import AdaptiveLimit

_WAIT_SECONDS = 0.1
"""Where no search of the kind has been seen yet."""
_LONGEST_WAIT = 0.5
_WAITING_PER_PLACE = 2
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class Slot:
    """A place that a running search holds."""

    alone: bool
    typical: bool = True

    def untypical(self) -> None:
        """Its time tells nothing: it was cut short."""
        self.typical = False


@dataclass(slots=True)
class _Waiter:
    key: str
    granted: "asyncio.Future[None]"


@dataclass(slots=True)
class AdmissionControl:
    limit: AdaptiveLimit
    in_flight: int = 0
    refused: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    _hurried: dict[str, deque[_Waiter]] = field(default_factory=dict)
    """By key, in the order in which keys were last served."""
    _patient: deque[_Waiter] = field(default_factory=deque)
    _reserved: int = 0
    """Places that were granted to waiters who have not run since."""

    @asynccontextmanager
    async def slot(
        self, key: str, kind: str, deadline: Deadline, patience: float = 0.0
    ) -> AsyncIterator[Slot]:
        """A place while the block runs. Raises Overloaded, or RateLimited where only `key` has
        too much under way. With `patience`, seconds, it waits for what hurried callers leave."""
        await self._enter(key, kind, deadline, patience)
        self.in_flight += 1
        self._held[key] += 1
        slot = Slot(alone=self.in_flight == 1, typical=not patience)
        started, busy = time.perf_counter(), self.in_flight >= self.limit.value / 2
        try:
            yield slot
        except SearchError as error:
            slot.untypical()
            if self.in_flight > 1 and isinstance(error, (Overloaded, DeadlineExceeded)):
                self.limit.pushed_back()
            raise
        except asyncio.CancelledError:
            slot.untypical()
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
        return sum(map(len, self._hurried.values())) + len(self._patient)

    async def _enter(self, key: str, kind: str, deadline: Deadline, patience: float) -> None:
        if self._free() > 0 and not self._hurried and not (patience and self._patient):
            return
        waiter = _Waiter(key, asyncio.get_running_loop().create_future())
        if patience:
            self._patient.append(waiter)
        else:
            self._make_room(key)
            self._hurried.setdefault(key, deque()).append(waiter)
        wait = self.limit.worth_waiting(kind)
        hurried = min(_WAIT_SECONDS if wait is None else wait, _LONGEST_WAIT)
        seconds = min(patience or hurried, deadline.remaining())
        try:
            async with asyncio.timeout(seconds):
                await waiter.granted
        except TimeoutError:
            raise self._refusal(key) from None
        finally:
            self._forget(waiter)
            self._give_back(waiter)

    def _free(self) -> int:
        return max(1, int(self.limit.value)) - self.in_flight - self._reserved

    def _grant(self) -> None:
        while self._free() > 0 and (waiter := self._next()) is not None:
            self._reserved += 1
            waiter.granted.set_result(None)

    def _next(self) -> _Waiter | None:
        """Of the key that holds the fewest places; of equals the one served longest ago."""
        while self._hurried:
            key = min(self._hurried, key=lambda key: self._held[key])
            waiting = self._hurried.pop(key)
            waiter = waiting.popleft()
            if waiting:
                self._hurried[key] = waiting  # behind the others
            if not waiter.granted.done():
                return waiter
        while self._patient:
            waiter = self._patient.popleft()
            if not waiter.granted.done():
                return waiter
        return None

    def _make_room(self, key: str) -> None:
        """Bounds the waiters: the key with the most gives one up, or the newcomer is refused."""
        bound = max(4, int(self.limit.value * _WAITING_PER_PLACE))
        if sum(map(len, self._hurried.values())) < bound:
            return
        greediest = max(self._hurried, key=lambda each: len(self._hurried[each]))
        own = len(self._hurried.get(key, ()))
        if greediest == key or len(self._hurried[greediest]) <= own + 1:
            raise self._refusal(key)
        waiter = self._hurried[greediest].pop()
        if not waiter.granted.done():
            self.refused += 1
            waiter.granted.set_exception(_more_than_its_share())

    def _forget(self, waiter: _Waiter) -> None:
        waiting = self._hurried.get(waiter.key)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._hurried[waiter.key]
        if waiter in self._patient:
            self._patient.remove(waiter)

    def _give_back(self, waiter: _Waiter) -> None:
        """Ends a reservation: the waiter takes its place now, or went away with it."""
        granted = waiter.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            self._reserved -= 1

    def _refusal(self, key: str) -> SearchError:
        self.refused += 1
        keys = self._held.keys() | self._hurried.keys() | {key}
        own = self._held[key] + len(self._hurried.get(key, ()))
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
