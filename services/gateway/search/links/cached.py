"""The link that answers from the cache, or passes the search on if the cache has no answer."""

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace

from services.common.ending import ended
from services.common.errors import DeadlineExceeded, Overloaded, SearchError, Unavailable
from services.common.request_context import Deadline
from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.policy import CacheUse, Entry, Phase
from services.gateway.search.answers import Answered, Answers, Ask, CacheState
from services.gateway.search.links.key import Keys

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Cached:
    """Serves a fresh entry, and a stale one while it is computed again.

    An older entry is served only if recall is away or late.
    """

    inner: Answers
    cache: AnswerCache
    keys: Keys
    refresh_seconds: float
    """Budget in seconds of a computation that replaces a stale entry; nobody waits for it."""
    _refreshing: dict[str, "asyncio.Task[None]"] = field(default_factory=dict, init=False)

    async def answer(self, ask: Ask) -> Answered:
        """The cached answer as far as its age allows, else the inner link's.

        Raises the errors of the inner link, unless an old answer can replace it.
        """
        version, rules, key = await self.keys.now(ask.search, ask.asker.tenant)
        ask = replace(ask, version=version, rules=rules)
        if ask.use is not CacheUse.NORMAL:
            answered = await self.inner.answer(ask)
            return replace(answered, state=CacheState.BYPASS)
        if key is None:
            return await self.inner.answer(ask)
        ask = replace(ask, key=key)
        entry = await self.cache.find(key)
        phase = Phase.KEPT if entry is None else entry.phase(time.time())
        if entry is not None and phase is not Phase.KEPT:
            if phase is Phase.STALE:
                self._refresh(key, ask)
            state = CacheState.HIT if phase is Phase.FRESH else CacheState.STALE
            return self._served(entry, state, away=self.keys.recall_away)
        try:
            return await self.inner.answer(ask)
        except (Unavailable, DeadlineExceeded) as error:
            if entry is None or isinstance(error, Overloaded):
                raise
            return self._served(entry, CacheState.STALE, away=True)

    async def at_once(self, ask: Ask) -> Answered | None:
        """The answer, if this process has a fresh one; None means that `answer` must be called."""
        key = (await self.keys.now(ask.search, ask.asker.tenant)).key
        entry = self.cache.fresh_here(key) if key else None
        if entry is None:
            return None
        return self._served(entry, CacheState.HIT, away=self.keys.recall_away)

    async def aclose(self) -> None:
        """Cancels the computations that replace stale answers."""
        await ended(self._refreshing.values())

    def _served(self, entry: Entry, state: CacheState, *, away: bool) -> Answered:
        return Answered(
            content=entry.body,
            index=entry.index,
            degraded=("recall",) if away else (),
            state=state,
            age=entry.age(time.time()),
        )

    def _refresh(self, key: str, ask: Ask) -> None:
        """Computes the answer again in the background, unless that is under way. It takes only the
        places that searches leave for which somebody waits."""
        if key in self._refreshing:
            return
        unhurried = replace(
            ask,
            deadline=Deadline.after(self.refresh_seconds),
            patience=self.refresh_seconds,
        )

        async def run() -> None:
            try:
                await self.inner.answer(unhurried)
            except SearchError as error:
                logger.info("a stale answer was not computed again", extra={"why": error.detail})
            except Exception:
                logger.exception("a stale answer was not computed again")
            finally:
                del self._refreshing[key]

        self._refreshing[key] = asyncio.create_task(run())
