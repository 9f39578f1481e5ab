"""A folder of shards: `part-000000.jsonl` (documents) and `part-000000.npy` (their vectors).

Row i of the matrix belongs to line i of the documents. `part-000000.json` is written last and
makes a shard count; whatever lies there without it is overwritten by the next run.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.documents import Document
from services.common.model_dir import Precision

PLAN = "extraction.json"


class ExtractionError(Exception):
    """An extraction cannot start, go on or be loaded; the message says what to do."""


class Plan(BaseModel):
    """What decides the content of the shards; a run goes on only under the same plan."""

    model_config = ConfigDict(frozen=True)

    source: str
    source_bytes: int
    encoder: str
    """Fingerprint."""
    precision: Precision
    dimension: int
    dtype: Literal["float32", "float16"]
    shard_lines: int


class RejectedLine(BaseModel):
    line: int
    reason: str


class Shard(BaseModel):
    """The record of a finished shard."""

    number: int
    lines: int
    documents: int
    rejected: list[RejectedLine]
    next_offset: int
    """Byte of the plain input at which the next shard begins."""
    last: bool
    """Whether the input ended here."""


class ShardFolder:
    """Writes and finds the shards of one folder. One process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, plan: Plan) -> None:
        """Raises ExtractionError when the folder holds another extraction."""
        self.path.mkdir(parents=True, exist_ok=True)
        target = self.path / PLAN
        if not target.exists():
            if any(self.path.iterdir()):
                raise ExtractionError(f"{self.path} holds other files; name an empty folder")
            self._commit(target, lambda stream: stream.write(_json(plan)))
        elif (found := self.plan()) != plan:
            differing = [
                name for name in Plan.model_fields if getattr(found, name) != getattr(plan, name)
            ]
            raise ExtractionError(
                f"{self.path} holds an extraction with another {', '.join(differing)};"
                " name another folder, or delete this one to start again"
            )

    def plan(self) -> Plan:
        """Raises ExtractionError when there is none."""
        try:
            return Plan.model_validate_json((self.path / PLAN).read_bytes())
        except (OSError, ValidationError) as error:
            raise ExtractionError(f"{self.path} holds no extraction ({PLAN})") from error

    def finished(self) -> Iterator[Shard]:
        """Records from the first shard on, up to the first that is missing."""
        number = 0
        while (record := self.file(number, "json")).exists():
            yield Shard.model_validate_json(record.read_bytes())
            number += 1

    def write(
        self, shard: Shard, documents: Sequence[Document], vectors: NDArray[np.floating]
    ) -> None:
        """Durable when it returns; a kill before that leaves the shard unwritten."""

        def lines(stream: IO[bytes]) -> None:
            for document in documents:
                stream.write(_json(document) + b"\n")

        self._commit(self.file(shard.number, "jsonl"), lines)
        self._commit(self.file(shard.number, "npy"), lambda stream: np.save(stream, vectors))
        self._commit(self.file(shard.number, "json"), lambda stream: stream.write(_json(shard)))

    def file(self, number: int, suffix: str) -> Path:
        return self.path / f"part-{number:06d}.{suffix}"

    def _commit(self, target: Path, fill: Callable[[IO[bytes]], object]) -> None:
        partial = target.with_name(f".{target.name}.partial")
        with partial.open("wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _json(model: BaseModel) -> bytes:
    return model.model_dump_json(exclude_defaults=isinstance(model, Document)).encode()
