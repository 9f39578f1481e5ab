"""The link that computes equal searches once, in one task of this process and one replica of all.

Further callers wait for that answer. Bounds keep the waiting harmless: a caller with much less time
than a running computation has does not join it, an urgent one does not join a patient one, and
after half of its time a caller computes for itself, whatever the other replica does. A computation
has its place and its time on the terms of the caller who began it; one who has others and joined it
takes over neither its refusal nor the end of a shorter budget.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field

from services.common.errors import DeadlineExceeded, Overloaded, RateLimited, SearchError
from services.gateway.cache.local import LocalCache
from services.gateway.cache.policy import CacheUse, Entry, Phase
from services.gateway.cache.redis import NotLocked, RedisCache
from services.gateway.search.answers import Answered, Answers, Ask
from services.gateway.search.links.flights import Flights

_POLL_SECONDS = 0.02
_WAIT_SHARE = 0.5
"""Fraction of the remaining budget to wait for another replica before computing locally."""
_LOCK_GRACE_SECONDS = 1.0
"""Seconds after the budget at which the lock of a process that died ends."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """What became of a computation that got no place."""

    error: Overloaded | RateLimited
    terms: tuple[str, bool]


@dataclass(frozen=True, slots=True)
class _Late:
    """What became of a computation that found nothing within its budget."""

    error: DeadlineExceeded


_Outcome = Answered | _Refused | _Late


@dataclass(slots=True)
class Shared:
    """Passes on the searches that no other task and no other replica computes."""

    inner: Answers
    local: LocalCache
    redis: RedisCache
    _flights: Flights[_Outcome] = field(default_factory=Flights, init=False)
    _unlocking: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def answer(self, ask: Ask) -> Answered:
        """One computation's answer for all equal searches. Raises the errors of the inner link.

        While Redis does not tell what was written, only the callers share an answer who came before
        its computation began.
        """
        if ask.use is not CacheUse.NORMAL:
            return await self.inner.answer(ask)

        key = f"{ask.asker.tenant} {ask.search.canonical!r}" if ask.key is None else ask.key
        answered, hurried = await self._joined(key, ask)
        if isinstance(answered, _Refused):
            if answered.terms == _terms(ask):
                raise answered.error
            # Callers with the same terms share the one attempt that is made on them.
            answered, _ = await self._joined(f"{key} {_terms(ask)}", ask)
            return _given(answered)
        if not hurried or (isinstance(answered, Answered) and not answered.degraded):
            return _given(answered)
        # What is missing may be so for want of time, of which the callers who joined have more.
        try:
            return _given((await self._joined(key, ask))[0])
        except SearchError:
            if isinstance(answered, Answered):
                return answered
            raise

    async def aclose(self) -> None:
        """Cancels running computations and releases their locks."""
        await self._flights.aclose()
        await asyncio.gather(*self._unlocking)

    async def _joined(self, name: str, ask: Ask) -> tuple[_Outcome, bool]:
        """What the flight of this name gives, and whether it had much less time than the caller."""

        async def compute() -> _Outcome:
            try:
                if ask.key is None:
                    return await self.inner.answer(ask)
                return await self._once(ask.key, ask)
            except (Overloaded, RateLimited) as error:
                return _Refused(error, _terms(ask))
            except DeadlineExceeded as error:
                return _Late(error)

        since = ask.started if ask.key is None else None
        return await self._flights.join(
            name, ask.deadline, compute, patient=ask.patient, since=since
        )

    async def _once(self, key: str, ask: Ask) -> Answered:
        """Computes unless the answer was kept meanwhile or another replica computes it.

        Then waits for the answer that the other stores.
        """
        if (entry := self.local.fresh(key)) is not None:
            return _answered(entry)
        give_up = time.monotonic() + ask.deadline.remaining() * _WAIT_SHARE
        while True:
            seconds = ask.deadline.remaining() + _LOCK_GRACE_SECONDS
            token, entry = await self.redis.lock(key, seconds, patient=ask.patient)
            if token is not NotLocked.BUSY:
                return await self._locked(key, token, entry, ask)
            if time.monotonic() >= give_up:
                return await self.inner.answer(ask)
            if (entry := await self._awaited(key, give_up, ask.patient)) is not None:
                return _answered(entry)

    async def _awaited(self, key: str, give_up: float, patient: bool) -> Entry | None:
        """The answer that the other replica stores; None if it ends without one, or at the time
        `give_up`."""
        locked = True
        while locked and time.monotonic() < give_up:
            await asyncio.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))
            entry, locked = await self.redis.look(key, patient=patient)
            if entry is not None and entry.phase(time.time()) is not Phase.KEPT:
                self.local.put(key, entry)
                return entry
        return None

    async def _locked(
        self, key: str, token: str | NotLocked, entry: Entry | None, ask: Ask
    ) -> Answered:
        """Computes under the lock, unless `entry` was stored just before the lock was given."""
        try:
            if entry is not None and entry.phase(time.time()) is Phase.FRESH:
                self.local.put(key, entry)
                return _answered(entry)
            return await self.inner.answer(ask)
        finally:
            if isinstance(token, str):
                self._unlock(key, token, ask.patient)

    def _unlock(self, key: str, token: str, patient: bool) -> None:
        """Releases the lock, also if the computation was cancelled. Nobody waits for it."""
        task = asyncio.create_task(self.redis.unlock(key, token, patient=patient))
        self._unlocking.add(task)
        task.add_done_callback(self._unlocking.discard)


def _terms(ask: Ask) -> tuple[str, bool]:
    """The terms on which a search gets its place: the key whose share it uses, and whether it is
    patient."""
    return ask.asker.key, ask.patient


def _given(outcome: _Outcome) -> Answered:
    """The answer. Raises what stands in its place if there is none."""
    if isinstance(outcome, Answered):
        return outcome
    raise outcome.error


def _answered(entry: Entry) -> Answered:
    """The answer of another replica, in the form of one that was computed here."""
    return Answered(content=entry.body, index=entry.index)
