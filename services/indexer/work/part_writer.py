"""Cuts the documents of a job into parts and stores them."""

from collections.abc import Set as AbstractSet

from services.common.documents import Content, long_part
from services.indexer.jobs.files import JobFiles
from services.indexer.rows import PlannedDocument
from services.indexer.tables import pack_planned, unpack_planned

_PART_BYTES = 8 << 20
_BODY_WEIGHT = 24
"""How much more a character of a body or a long text counts than a byte: it is stored with its
passages' vectors and takes as long to encode as an abstract's."""


class PartWriter:
    """The parts of one plan. A part is stored once it has enough documents or bytes."""

    def __init__(self, files: JobFiles, job_id: str, token: str, most_documents: int) -> None:
        self._files = files
        self._job_id = job_id
        self._token = token
        self._most_documents = most_documents
        self._documents: list[PlannedDocument] = []
        """The documents of the part that is being filled."""
        self._bytes = 0
        self.sizes: list[int] = []
        """Numbers of documents of the stored parts."""

    @property
    def next_place(self) -> tuple[int, int]:
        """The part and the position in it that the next document gets."""
        return len(self.sizes), len(self._documents)

    def add(self, planned: PlannedDocument) -> bool:
        """Adds a document, and says whether that completed a part. Raises Unavailable."""
        self._documents.append(planned)
        self._bytes += _size(planned.document)
        if planned.vector is not None:
            self._bytes += planned.vector.nbytes
        if len(self._documents) < self._most_documents and self._bytes < _PART_BYTES:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Stores the part that is being filled, unless it is empty. Raises Unavailable."""
        if self._documents:
            self._write(len(self.sizes), self._documents)
            self.sizes.append(len(self._documents))
            self._documents, self._bytes = [], 0

    def remove(self, part: int, positions: AbstractSet[int]) -> None:
        """Rewrites a stored part without the documents at these positions. Raises Unavailable."""
        content = self._files.part(self._job_id, self._token, part)
        documents = unpack_planned(content, 0, self.sizes[part])
        kept = [item for place, item in enumerate(documents) if place not in positions]
        self._write(part, kept)
        self.sizes[part] = len(kept)

    def _write(self, part: int, documents: list[PlannedDocument]) -> None:
        key = self._files.part_key(self._job_id, self._token, part)
        self._files.store.write(key, pack_planned(documents))


def _size(document: Content) -> int:
    """About how many bytes a document takes, its vectors left out."""
    fields = sum(len(name) + len(str(value)) for name, value in document.fields.items())
    own = 3 * (len(document.title) + len(document.text) + fields) + 256
    return own + _BODY_WEIGHT * len(long_part(document))
