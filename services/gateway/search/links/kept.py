"""The link that stores complete answers in the cache."""

from dataclasses import dataclass

from services.gateway.cache.levels import AnswerCache
from services.gateway.cache.policy import CacheUse
from services.gateway.search.answers import Answered, Answers, Ask
from services.gateway.search.links.key import Keys


@dataclass(slots=True)
class Kept:
    """Stores complete answers under the versions that were read before they were computed."""

    inner: Answers
    cache: AnswerCache
    keys: Keys

    async def answer(self, ask: Ask) -> Answered:
        """The inner link's answer, which is stored if it is complete. Raises the inner link's
        errors."""
        answered = await self.inner.answer(ask)
        if answered.degraded or ask.version is None:
            return answered
        key = await self.keys.after(ask, answered.ranker)
        if key is not None and ask.use is not CacheUse.NONE:
            self.cache.keep(key, answered.content, answered.index)
        return answered
