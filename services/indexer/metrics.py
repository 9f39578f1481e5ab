"""Metrics of jobs. Workers are scaled by the number of open parts."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.wire.jobs import JobState
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.workers import Workers


class JobMetrics(Collector):
    """Reads the book at each scrape."""

    def __init__(
        self,
        registry: CollectorRegistry,
        book: JobBook,
        workers: Workers,
        holds_role: Callable[[], bool],
    ) -> None:
        self._book = book
        self._workers = workers
        self._holds_role = holds_role
        registry.register(self)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The metrics as they are now; those of jobs only while all jobs are known. Zeros instead
        would make every failed job a new one once the jobs are read back."""
        yield GaugeMetricFamily(
            "xunwen_index_writer",
            "1 while this process may write the index",
            value=float(self._holds_role()),
        )
        yield GaugeMetricFamily(
            "xunwen_index_workers",
            "Workers with a heartbeat in the last ten seconds",
            value=self._workers.alive(),
        )
        yield GaugeMetricFamily(
            "xunwen_index_workers_expected",
            "Workers without which the indexer is not ready",
            value=self._workers.expected,
        )
        if self._book.loaded:
            yield from self._of_jobs()

    def _of_jobs(self) -> Iterable[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("xunwen_index_jobs", "Jobs by state", labels=["state"])
        ledgers = self._book.all()
        for state in JobState:
            jobs.add_metric([state], sum(ledger.state is state for ledger in ledgers))
        yield jobs
        parts = sum(len(ledger.open) for ledger in self._book.running())
        started = [ledger.manifest.created_at for ledger in self._book.running()]
        age = (datetime.now(UTC) - min(started)).total_seconds() if started else 0.0
        yield GaugeMetricFamily(
            "xunwen_index_oldest_job_seconds", "Age of the oldest job that has not ended", value=age
        )
        yield GaugeMetricFamily(
            "xunwen_index_parts_open", "Parts that are not done yet", value=parts
        )
