"""An index job as a caller asks for it."""

from dataclasses import dataclass, field

from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JobMode
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.sniff import Recognised, check_beginning
from services.indexer.jobs.manifest import JobManifest


@dataclass(frozen=True, slots=True)
class Submission:
    """Options of an index job, all that a caller sends besides the input itself."""

    collection: str
    mode: JobMode = JobMode.UPSERT
    format: InputFormat = InputFormat.JSONL
    mapping: FieldMapping = field(default_factory=FieldMapping)
    max_errors: int | None = None
    idempotency_key: str | None = None
    encoder: str | None = None
    """Fingerprint of the encoder that made the vectors of the input, if it brings any. A new
    collection or the new index of a rebuild gets this encoder; None stands for the default."""
    force: bool = False
    """Whether a rebuild switches although the new index answers worse."""
    charset: Charset | None = None
    """Charset of the input that the caller declares; with None it is recognised."""
    name: str = ""
    """Name of the file, empty if it is unknown."""
    partition: str | None = None
    """Partition of every document; None leaves that to the documents."""

    def check_input(self, head: bytes) -> Recognised:
        """What the first bytes of the input show. Raises UnsupportedFormat, InvalidRequest."""
        return check_beginning(head, self.format, self.mapping, self.charset)

    def same_request(self, manifest: JobManifest, input_sha256: str, vectors_sha256: str) -> bool:
        """Whether a job was accepted for this submission, and for an input and vectors with these
        digests."""
        return (
            manifest.collection,
            manifest.mode,
            manifest.format,
            manifest.mapping,
            manifest.max_errors,
            manifest.named_encoder,
            manifest.force,
            manifest.charset or Charset.UTF8,
            manifest.name,
            manifest.partition,
            manifest.input_sha256,
            manifest.vectors_sha256,
        ) == (
            self.collection,
            self.mode,
            self.format,
            self.mapping,
            self.max_errors,
            self.encoder,
            self.force,
            self.charset or Charset.UTF8,
            self.name,
            self.partition,
            input_sha256,
            vectors_sha256,
        )
