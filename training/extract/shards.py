"""A folder of shards: `part-000000.jsonl` (documents) and `part-000000.npy` (their vectors).

Row i of the matrix belongs to line i of the documents. `part-000000.json` is written last and makes
a shard count; files without it are overwritten by the next run.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.documents import Document
from services.common.precision import Precision
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.mapping import FieldMapping
from training import durable
from training.failures import TrainingError

PLAN = "extraction.json"


class ExtractionError(TrainingError):
    """An extraction cannot start, resume or be loaded; the message says what to do."""


class Plan(BaseModel):
    """The settings that decide the content of the shards; a run resumes only under the same
    plan."""

    model_config = ConfigDict(frozen=True)

    source: str
    source_bytes: int
    source_sha256: str | None = None
    """Checksum of the source; None in a folder that was begun before there were checksums."""
    format: InputFormat
    mapping: FieldMapping
    charset: Charset | None
    """Charset of the source; None where its bytes do not tell one and it is read as UTF-8."""
    encoder: str
    """Fingerprint of the encoder."""
    precision: Precision
    dimension: int
    dtype: Literal["float32", "float16"]
    shard_records: int


class RejectedLine(BaseModel):
    line: int
    reason: str


class Shard(BaseModel):
    """The record of a finished shard."""

    number: int
    records: int
    documents: int
    rejected: list[RejectedLine]
    last: bool
    """Whether the input ended in this shard."""


class ShardFolder:
    """Writes and reads the shards of one folder; each shard is made by one process only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, plan: Plan) -> None:
        """Begins or resumes an extraction. Raises ExtractionError if the folder holds another
        one."""
        self.path.mkdir(parents=True, exist_ok=True)
        # Several processes may start at once: what they have written is no other file.
        others = [found.name for found in self.path.iterdir() if not found.name.startswith(".")]
        target = self.path / PLAN
        if not target.exists():
            if others:
                raise ExtractionError(f"{self.path} holds other files; name an empty folder")
            durable.replace(target, lambda stream: stream.write(_json(plan)))
            return
        found = self.plan()
        differing = [
            name for name in Plan.model_fields if getattr(found, name) != getattr(plan, name)
        ]
        if found.source_sha256 is None:
            differing.remove("source_sha256")
        if differing:
            raise ExtractionError(
                f"{self.path} holds an extraction with another {', '.join(differing)};"
                " name another folder, or delete this one to start again"
            )

    def plan(self) -> Plan:
        """The plan of the folder. Raises ExtractionError if there is none."""
        try:
            return Plan.model_validate_json((self.path / PLAN).read_bytes())
        except (OSError, ValidationError) as error:
            raise ExtractionError(f"{self.path} holds no extraction ({PLAN})") from error

    def finished(self) -> Iterator[Shard]:
        """Records of the shards from the first one on, up to the first that is missing."""
        number = 0
        while (shard := self.record(number)) is not None:
            yield shard
            number += 1

    def record(self, number: int) -> Shard | None:
        """The record of a shard; None if it is not finished."""
        try:
            return Shard.model_validate_json(self.file(number, "json").read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise ExtractionError(
                f"{self.file(number, 'json')} is no record of a shard; name another folder"
            ) from error

    def write(
        self, shard: Shard, documents: Sequence[Document], vectors: NDArray[np.floating]
    ) -> None:
        """Writes a shard durably; a kill before this returns leaves the shard unwritten."""

        def lines(stream: IO[bytes]) -> None:
            for document in documents:
                stream.write(_json(document) + b"\n")

        for suffix, fill in (
            ("jsonl", lines),
            ("npy", lambda stream: np.save(stream, vectors)),
            ("json", lambda stream: stream.write(_json(shard))),
        ):
            durable.replace(self.file(shard.number, suffix), fill, alone=True)

    def file(self, number: int, suffix: str) -> Path:
        return self.path / f"part-{number:06d}.{suffix}"


def _json(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_defaults=isinstance(model, Document)).encode()
