"""The link that lets in as many searches at once as the services behind can take."""

from dataclasses import dataclass

from services.gateway.search.admission.control import AdmissionControl
from services.gateway.search.answers import Answered, Answers, Ask
from services.gateway.search.metrics import SearchMetrics


@dataclass(slots=True)
class Admitted:
    """Gives each search a place, and counts what was computed."""

    inner: Answers
    admission: AdmissionControl
    metrics: SearchMetrics

    async def answer(self, ask: Ask) -> Answered:
        """The answer of the inner link. Raises Overloaded or RateLimited if there is no place, and
        the errors of the inner link."""
        async with self.admission.slot(
            ask.asker.key, ask.search.kind, ask.deadline, ask.patience
        ) as slot:
            answered = await self.inner.answer(ask)
            if answered.degraded:
                slot.untypical()
        self.metrics.computed(answered.stages)
        return answered
