"""Reads an input, file by file, once from end to end and cuts it into clean parts.

Every line is validated here, duplicates are settled here, counts are fixed here. What is
left for the parts is work that cannot be wrong: encode and write documents that are valid
and whose ids are unique in the job.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from services.common.documents import Document, checked_fields, typed_document
from services.common.errors import InvalidRequest
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.about import About
from services.indexer.intake.duplicates import DuplicateFinder
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.mapping import DocumentMapper, Rejected, checked_vector
from services.indexer.intake.record import BadInput, Record
from services.indexer.intake.sources import Source, sources
from services.indexer.intake.vectors import npy_rows
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import Plan, Rejection
from services.indexer.jobs.reasons import RejectionKinds, summary, too_many, unit
from services.indexer.jobs.wire import Granted
from services.indexer.originals import FIELD, Originals
from services.indexer.rows import PlannedDocument, Vector
from services.indexer.work.part_writer import PartWriter

_CHECK_LINES = 1000
_EXPORTED_VERSION = "_version"
"""The key of each document's version in the export of a collection."""


@dataclass(frozen=True, slots=True)
class _Sinks:
    """The destination of the records, and of the vectors that come with them."""

    rejected: IO[bytes]
    vectors: Iterator[Vector] | None
    finder: DuplicateFinder


class Planner:
    """Plans the job of a lease: every line validated, duplicates settled, documents cut into parts.

    `check` is called often and raises to stop the work; `ocr` is the command that recognises the
    text of scanned pages, empty for none.
    """

    def __init__(
        self,
        files: JobFiles,
        originals: Originals,
        granted: Granted,
        *,
        check: Callable[[], None],
        ocr: str = "",
    ) -> None:
        self._files = files
        self._originals = originals
        self._manifest = granted.manifest
        self._token = granted.token
        self._dimension = granted.dimension
        self._types = granted.types
        self._partition = granted.partition
        self._check = check
        self._ocr = ocr
        self._parts = PartWriter(files, granted.manifest.id, granted.token, granted.part_documents)
        self._read = 0
        self._rejected = 0
        self._kinds_rejected = RejectionKinds()

    def plan(self) -> Plan:
        """Reads the input and writes the parts. Raises BadInput (the job has failed), Unavailable,
        and the errors of `check`."""
        store, job = self._files.store, self._manifest.id
        with ExitStack() as stack:
            vectors = None
            if self._manifest.vectors:
                matrix = stack.enter_context(store.open(self._files.vectors_key(job)))
                vectors = npy_rows(matrix, self._dimension)
            finder = stack.enter_context(DuplicateFinder())
            rejected_key = self._files.rejected_key(job, self._token)
            with store.writer(rejected_key) as rejected, self._sources() as found:
                for source in found:
                    self._check()
                    self._read_source(source, _Sinks(rejected, vectors, finder))
                    if self._hopeless():
                        break
            self._check_outcome(vectors)
            self._parts.flush()
            self._check()
            deduplicated = self._remove(finder.superseded())
        return Plan(
            token=self._token,
            parts=self._parts.sizes,
            read=self._read,
            rejected=self._rejected,
            deduplicated=deduplicated,
            kinds=self._kinds_rejected.counted(),
        )

    @contextmanager
    def _sources(self) -> Iterator[Iterator[Source]]:
        """The files of the input. Raises BadInput."""
        manifest = self._manifest
        with Sandbox(ocr=self._ocr, check=self._check) as sandbox:
            about = About(
                manifest.format, manifest.mapping, sandbox, manifest.name, manifest.charset
            )
            with sources(lambda: self._files.input(manifest.id), about) as found:
                yield found

    @property
    def counts(self) -> tuple[int, int]:
        """Lines read and rejected so far."""
        return self._read, self._rejected

    def _read_source(self, source: Source, sinks: "_Sinks") -> None:
        """Reads a file of the input. One of a zip that turns out to be damaged costs no other:
        what was read of it before stays. Raises BadInput for the only file of an input."""
        try:
            mapper = source.mapper(self._check)
            with source.records() as records:
                self._scan(records, source, mapper, sinks)
        except BadInput as error:
            if not source.member:
                raise
            self._read += 1
            self._reject(sinks, Rejection(line=0, file=source.member, reason=str(error)))

    def _scan(
        self,
        records: Iterator[Record],
        source: Source,
        mapper: DocumentMapper,
        sinks: "_Sinks",
    ) -> None:
        for record in records:
            self._read += 1
            if self._read % _CHECK_LINES == 0:
                self._check()
            vector = None if record.beside_rows else _next(sinks.vectors)
            try:
                planned = self._planned(record, vector, mapper, source.about.format)
            except Rejected as reason:
                self._reject(
                    sinks,
                    Rejection(
                        line=record.line,
                        file=source.member,
                        reason=str(reason),
                        content=record.excerpt,
                    ),
                )
                if self._hopeless():
                    return
                continue
            sinks.finder.add(planned.document.id, *self._parts.next_place)
            if self._parts.add(planned):
                self._check()

    def _check_outcome(self, vectors: Iterator[Vector] | None) -> None:
        """Raises BadInput if nothing of an input may be indexed."""
        manifest = self._manifest
        what = unit(manifest.format)
        if self._hopeless():
            kinds = self._kinds_rejected.counted()
            raise BadInput(too_many(manifest.max_errors or 0, what, "nothing was indexed", kinds))
        if vectors is not None and next(vectors, None) is not None:
            raise BadInput(f"The .npy file has more rows than the input's {self._read:,} {what}.")
        if self._read == 0:
            raise BadInput("The input holds no documents; send at least one line.")
        if self._rejected < self._read or manifest.from_collection:
            return  # A rebuild out of the collection itself is refused with what its owner can do.
        kinds = self._kinds_rejected.counted()
        if manifest.format.whole:
            raise BadInput(f"The file {kinds[0].reason}.")
        raise BadInput(
            f"Not one of the {self._read:,} {what} is a document. {summary(kinds)} See the job's"
            " errors, then check `format` and `mapping`."
        )

    def _planned(
        self, record: Record, vector: Vector | None, mapper: DocumentMapper, kind: InputFormat
    ) -> PlannedDocument:
        if record.values is None:
            raise Rejected(record.problem)
        values, file = record.values, record.file
        version = values.pop(_EXPORTED_VERSION, None) if self._manifest.from_collection else None
        if file is not None and self._originals.keeps(file):
            values[FIELD] = file.stat().st_size
        elif file is not None:
            values.pop(FIELD, None)
        try:
            document = typed_document(self._placed(mapper.document(values)), self._types)
        except InvalidRequest as error:
            raise Rejected(error.detail.removesuffix(".")) from None
        if file is not None and FIELD in document.fields:
            manifest = self._manifest
            self._originals.keep(manifest.collection, document.id, file, kind, manifest.version)
        if vector is not None:
            vector = checked_vector(vector, self._dimension)
        else:
            vector = mapper.vector(values, self._dimension)
        return PlannedDocument(record.line, document, vector, version)

    def _placed(self, document: Document) -> Document:
        """The document in the partition of the job. Raises Rejected if it names another one."""
        for key, partition in self._partition.items():
            named = document.fields.get(key, partition)
            if named != partition:
                raise Rejected(
                    f"has {str(named)[:80]!r} as its `{key}`, and the job loads the partition"
                    f" {partition!r}"
                )
        if not self._partition:
            return document
        try:
            fields = checked_fields({**document.fields, **self._partition})
        except ValueError as error:
            raise Rejected(f"fields: {error}") from None
        return document.model_copy(update={"fields": fields})

    def _reject(self, sinks: "_Sinks", rejection: Rejection) -> None:
        self._files.write_rejected(sinks.rejected, rejection)
        self._rejected += 1
        self._kinds_rejected.add(rejection)

    def _hopeless(self) -> bool:
        limit = self._manifest.max_errors
        return limit is not None and self._rejected > limit

    def _remove(self, superseded: dict[int, set[int]]) -> int:
        """Removes documents that a later line replaces, and returns how many there are."""
        for part, positions in superseded.items():
            self._parts.remove(part, positions)
            self._check()
        return sum(map(len, superseded.values()))


def _next(vectors: Iterator[Vector] | None) -> Vector | None:
    if vectors is None:
        return None
    vector = next(vectors, None)
    if vector is None:
        raise BadInput("The .npy file has fewer rows than the input has lines.")
    return vector
