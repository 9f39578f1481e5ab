"""Reads an input once from end to end and cuts it into clean parts.

Every line is validated here, duplicates are settled here, counts are fixed here. What is
left for the parts is work that cannot be wrong: encode and write documents that are valid
and whose ids are unique in the job.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from services.common.wire.jobs import InputFormat
from services.indexer.intake.compression import decompressed
from services.indexer.intake.duplicates import DuplicateFinder
from services.indexer.intake.formats import READERS
from services.indexer.intake.mapping import DocumentMapper, Rejected, checked_vector
from services.indexer.intake.record import BadInput, Record
from services.indexer.intake.vectors import npy_rows
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import JobManifest, Plan, Rejection
from services.indexer.rows import PlannedDocument, Vector, pack_planned, unpack_planned

_PART_BYTES = 8 << 20
_CHECK_LINES = 1000
_EXPORTED_VERSION = "_version"
"""Key under which an exported collection carries each document's version."""


@dataclass(slots=True)
class _Cut:
    """The part being filled."""

    documents: list[PlannedDocument] = field(default_factory=list)
    size: int = 0

    def add(self, planned: PlannedDocument) -> None:
        document = planned.document
        self.documents.append(planned)
        self.size += 3 * (len(document.title) + len(document.text)) + 256
        if planned.vector is not None:
            self.size += planned.vector.nbytes


class Planner:
    """Plans one job. `check` is called often and raises to stop the work."""

    def __init__(
        self,
        files: JobFiles,
        manifest: JobManifest,
        token: str,
        *,
        dimension: int,
        part_documents: int,
        check: Callable[[], None],
    ) -> None:
        self._files = files
        self._manifest = manifest
        self._token = token
        self._dimension = dimension
        self._part_documents = part_documents
        self._check = check
        typed = manifest.format not in (InputFormat.CSV, InputFormat.TSV)
        self._mapper = DocumentMapper(manifest.mapping, typed=typed)
        self._sizes: list[int] = []
        self._read = 0
        self._rejected = 0
        self._first_reason = ""

    def plan(self) -> Plan:
        """Raises BadInput (the job has failed), Unavailable, and what `check` raises."""
        store, job = self._files.store, self._manifest.id
        with ExitStack() as stack:
            raw = stack.enter_context(store.open(self._files.input_key(job)))
            stream = stack.enter_context(decompressed(raw))
            vectors = None
            if self._manifest.vectors:
                matrix = stack.enter_context(store.open(self._files.vectors_key(job)))
                vectors = npy_rows(matrix, self._dimension)
            finder = stack.enter_context(DuplicateFinder())
            self._scan(READERS[self._manifest.format](stream), vectors, finder)
            if self._read == 0:
                raise BadInput("The input holds no documents; send at least one line.")
            if self._rejected == self._read:
                raise BadInput(
                    f"Not one of the {self._read:,} lines is a document; the first"
                    f" {self._first_reason}. See the job's errors, then check `format` and"
                    " `mapping`."
                )
            deduplicated = self._remove(finder.superseded())
        return Plan(
            token=self._token,
            parts=self._sizes,
            read=self._read,
            rejected=self._rejected,
            deduplicated=deduplicated,
        )

    @property
    def counts(self) -> tuple[int, int]:
        """Lines read and rejected so far."""
        return self._read, self._rejected

    def _scan(
        self, records: Iterator[Record], vectors: Iterator[Vector] | None, finder: DuplicateFinder
    ) -> None:
        cut = _Cut()
        rejected_key = self._files.rejected_key(self._manifest.id, self._token)
        with self._files.store.writer(rejected_key) as rejected:
            for record in records:
                self._read += 1
                if self._read % _CHECK_LINES == 0:
                    self._check()
                vector = _next(vectors)
                try:
                    planned = self._planned(record, vector)
                except Rejected as reason:
                    rejection = Rejection(
                        line=record.line, reason=str(reason), content=record.excerpt
                    )
                    self._files.write_rejected(rejected, rejection)
                    self._count_rejected(rejection)
                    if self._hopeless():
                        break
                    continue
                finder.add(planned.document.id, len(self._sizes), len(cut.documents))
                cut.add(planned)
                if len(cut.documents) >= self._part_documents or cut.size >= _PART_BYTES:
                    self._flush(cut)
                    cut = _Cut()
        if self._hopeless():
            raise BadInput(
                f"More than {self._manifest.max_errors:,} lines were rejected, the first"
                f" {self._first_reason}; nothing was indexed. See the job's errors."
            )
        if vectors is not None and next(vectors, None) is not None:
            raise BadInput(f"The .npy file has more rows than the input's {self._read:,} lines.")
        if cut.documents:
            self._flush(cut)

    def _planned(self, record: Record, vector: Vector | None) -> PlannedDocument:
        if record.values is None:
            raise Rejected(record.problem)
        values = record.values
        version = values.pop(_EXPORTED_VERSION, None) if self._manifest.from_collection else None
        document = self._mapper.document(values)
        if vector is not None:
            vector = checked_vector(vector, self._dimension)
        else:
            vector = self._mapper.vector(values, self._dimension)
        return PlannedDocument(record.line, document, vector, version)

    def _count_rejected(self, rejection: Rejection) -> None:
        self._rejected += 1
        if not self._first_reason:
            self._first_reason = f"(line {rejection.line}) {rejection.reason}"

    def _hopeless(self) -> bool:
        limit = self._manifest.max_errors
        return limit is not None and self._rejected > limit

    def _flush(self, cut: _Cut) -> None:
        self._write(len(self._sizes), cut.documents)
        self._sizes.append(len(cut.documents))
        self._check()

    def _remove(self, superseded: dict[int, set[int]]) -> int:
        """Rewrites the parts that hold documents which a later line replaces."""
        for part, positions in superseded.items():
            key = self._files.part_key(self._manifest.id, self._token, part)
            documents = unpack_planned(self._files.store.read(key), 0, self._sizes[part])
            kept = [item for place, item in enumerate(documents) if place not in positions]
            self._write(part, kept)
            self._sizes[part] = len(kept)
            self._check()
        return sum(map(len, superseded.values()))

    def _write(self, part: int, documents: list[PlannedDocument]) -> None:
        key = self._files.part_key(self._manifest.id, self._token, part)
        self._files.store.write(key, pack_planned(documents))


def _next(vectors: Iterator[Vector] | None) -> Vector | None:
    if vectors is None:
        return None
    vector = next(vectors, None)
    if vector is None:
        raise BadInput("The .npy file has fewer rows than the input has lines.")
    return vector
