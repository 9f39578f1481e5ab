"""The outermost link, which counts searches and the part that the cache takes."""

from dataclasses import dataclass

from services.gateway.cache.policy import CacheUse
from services.gateway.search.answers import Answered, Answers, Ask
from services.gateway.search.hot.queries import HotQueries
from services.gateway.search.metrics import CacheMetrics, SearchMetrics


@dataclass(slots=True)
class Observed:
    """Counts each search of callers that was answered; searches of warming do not pass it."""

    inner: Answers
    hot: HotQueries
    metrics: SearchMetrics
    cache_metrics: CacheMetrics

    async def answer(self, ask: Ask) -> Answered:
        """The inner link's answer. Raises the inner link's errors."""
        answered = await self.inner.answer(ask)
        self.note(ask, answered)
        return answered

    def note(self, ask: Ask, answered: Answered) -> None:
        """Counts a search, which may have been answered without passing this link."""
        if ask.use is not CacheUse.NONE:  # Counting would store the query.
            self.hot.count(ask.search, ask.asker.tenant)
        self.metrics.answered(answered.degraded)
        if answered.cached:
            self.cache_metrics.served(answered.state, answered.age)
        else:
            self.cache_metrics.looked_up(answered.state)
