"""The work of a worker for a message. The ledger decides whether that work is still needed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.common.documents import typed_document
from services.common.errors import LeaseLost, SearchError, Unavailable
from services.common.telemetry.tracing import span
from services.indexer.dictionaries import Dictionaries
from services.indexer.index.imports.tables import passage_table, row_table
from services.indexer.intake.record import BadInput
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import PartKey
from services.indexer.jobs.wire import Granted, Planned, StoredRows
from services.indexer.originals import Originals
from services.indexer.rows import EncodedRows
from services.indexer.tables import pack_encoded, unpack_planned
from services.indexer.work.client import IndexerClient
from services.indexer.work.encode import PartEncoder
from services.indexer.work.lease import HeldLease, WorkerStopping, held_lease
from services.indexer.work.planner import Planner

logger = logging.getLogger(__name__)

PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Tasks:
    """Plans inputs and encodes parts; used by several threads at a time."""

    client: IndexerClient
    files: JobFiles
    originals: Originals
    encoder: PartEncoder
    dictionaries: Dictionaries
    ocr: str = ""
    """Command that recognises the text of scanned pages; empty for none."""

    def plan(self, job: str) -> None:
        """Plans the input of a job, if a worker is still needed for it."""
        self._do(job, PLAN)

    def part(self, job: str, part: str) -> None:
        """Encodes a part and sends its rows, if a worker is still needed for it."""
        self._do(job, part)

    def _do(self, job: str, part: str) -> None:
        try:
            granted = self.client.claim(job, part, self.encoder.fingerprints)
        except LeaseLost:
            return
        except SearchError as error:
            logger.warning(
                "a part could not be claimed",
                extra={"job": job, "part": part, "reason": error.detail},
            )
            return  # The indexer sends the message again.
        lease = job, part, granted.token
        try:
            if part == PLAN:
                self._plan(job, granted)
            else:
                self._part(job, part, granted)
        except LeaseLost:
            logger.info("the lease of a part was lost", extra={"job": job, "part": part})
        except WorkerStopping:
            self._end(self.client.release, lease, "")
        except Unavailable as error:
            reason = "" if self.client.stopping.is_set() else error.detail
            self._end(self.client.release, lease, reason)
        except SearchError as error:
            self._end(self.client.failed, lease, error.detail)
        except OSError as error:
            # The storage and the input raise errors of their own, so this one comes from the
            # worker's disk.
            logger.exception("a part failed", extra={"job": job, "part": part})
            reason = (error.strerror or "it cannot be used").lower()
            self._end(self.client.failed, lease, f"the worker's own disk fails: {reason}")
        except Exception:
            logger.exception("a part failed", extra={"job": job, "part": part})
            self._end(self.client.failed, lease, "the worker failed on it; see its log")

    def _plan(self, job: str, granted: Granted) -> None:
        planner: Planner

        def read() -> int:
            return planner.counts[0]

        with held_lease(
            self.client, job, PLAN, granted.token, granted.lease_seconds, read
        ) as lease:
            planner = Planner(self.files, self.originals, granted, check=lease.check, ocr=self.ocr)
            try:
                planned = Planned(token=granted.token, plan=planner.plan())
            except BadInput as error:
                lines, rejected = planner.counts
                planned = Planned(
                    token=granted.token, message=str(error), read=lines, rejected=rejected
                )
            self.client.planned(job, planned)

    def _part(self, job: str, part: str, granted: Granted) -> None:
        with held_lease(self.client, job, part, granted.token, granted.lease_seconds) as lease:
            key = PartKey.parse(part)
            if key is None:
                raise LeaseLost
            with span("encode"):
                rows = self._encoded(job, key, granted, lease)
            if granted.columns is None:
                self.client.rows(job, part, granted.token, pack_encoded(rows))
            else:
                self.client.stored(job, part, self._stored(job, key, granted, rows))

    def _stored(self, job: str, key: PartKey, granted: Granted, encoded: EncodedRows) -> StoredRows:
        """Stores the rows of a part as the tables that an import takes."""
        [rows] = encoded.values()
        version, columns, token = granted.manifest.version, granted.columns or (), granted.token
        store = self.files.store
        store.write(self.files.rows_key(job, token, key), row_table(rows, version, columns))
        count = sum(len(row.passages or ()) for row in rows)
        if count:
            table = passage_table(rows, version, columns)
            store.write(self.files.passages_key(job, token, key), table)
        return StoredRows(worker=self.client.worker, token=token, passages=count)

    def _encoded(self, job: str, key: PartKey, granted: Granted, lease: HeldLease) -> EncodedRows:
        if granted.plan_token is None:
            raise LeaseLost
        analyzer = self.dictionaries.analyzer(granted.manifest.collection, granted.analyzer)
        if analyzer is None:
            logger.warning(
                "this worker has another user dictionary than the indexer", extra={"job": job}
            )
            raise Unavailable("This worker cuts words differently from the indexer.")
        content = self.files.part(job, granted.plan_token, key.part)
        # The plan of a job that is tried again may be older than the declared types.
        documents = [
            replace(one, document=typed_document(one.document, granted.types))
            for one in unpack_planned(content, key.start, key.stop)
        ]
        return self.encoder.rows(documents, analyzer, lease.check, granted)

    def _end(
        self, end: Callable[[str, str, str, str], None], lease: tuple[str, str, str], reason: str
    ) -> None:
        """Ends a lease (job, part, token) before its time, by a call of the indexer."""
        job, part, _ = lease
        try:
            end(*lease, reason)
        except SearchError:
            logger.info(
                "the lease could not be given back; it ends by itself",
                extra={"job": job, "part": part},
            )
