"""Turns millions of documents into shards of vectors, in constant memory; a stopped run resumes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from services.common.documents import Document, lead
from services.common.engine import Encoder
from services.common.model_dir.files import sha256_of
from services.indexer.intake.record import Record
from training.data.documents import DocumentFile, Rejected
from training.extract.shards import ExtractionError, Plan, RejectedLine, Shard, ShardFolder

SHARD_RECORDS = 10_000


@dataclass(frozen=True, slots=True)
class Portion:
    """The shards that a process makes: each `of`-th from `number` on, which counts from 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Portion":
        """The portion that `2/8` names. Raises ExtractionError."""
        number, _, of = text.partition("/")
        if number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of):
            return cls(int(number), int(of))
        raise ExtractionError(f"{text!r} is no portion: write 1/4 to 4/4 for four processes")

    def holds(self, shard: int) -> bool:
        """Whether the shard of this number is made here."""
        return shard % self.of == self.number - 1


@dataclass(frozen=True, slots=True)
class Progress:
    """The number of records that were read for the shards of a process, and of documents among
    them."""

    records: int = 0
    documents: int = 0
    rejected: int = 0
    done: float = 0.0
    """Share of the input's bytes that have been read, 0 to 1."""

    def after(self, shard: Shard) -> "Progress":
        return replace(
            self,
            records=self.records + shard.records,
            documents=self.documents + shard.documents,
            rejected=self.rejected + len(shard.rejected),
        )


def extract(
    source: DocumentFile,
    folder: Path,
    encoder: Encoder,
    *,
    dtype: Literal["float32", "float16"] = "float32",
    shard_records: int = SHARD_RECORDS,
    portion: Portion | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    """Encodes every document of `source` into `folder`; `report` is called after each new shard.

    Shard k holds the documents of records [k * shard_records, (k + 1) * shard_records), so a killed
    run that is started again ends with the same bytes. Processes with different portions share a
    folder. Raises ExtractionError, DataInvalid.
    """
    portion = portion or Portion()
    shards = ShardFolder(folder)
    shards.start(
        Plan(
            source=source.path.name,
            source_bytes=source.size,
            source_sha256=sha256_of(source.path),
            format=source.format,
            mapping=source.mapping,
            charset=source.charset,
            encoder=encoder.manifest.fingerprint,
            precision=encoder.precision,
            dimension=encoder.dimension,
            dtype=dtype,
            shard_records=shard_records,
        )
    )
    progress, ended, number = Progress(), False, 0
    with source.records() as records:
        while not ended:
            made = shards.record(number) if portion.holds(number) else None
            if made is not None or not portion.holds(number):
                read = sum(1 for _ in islice(records, shard_records))
                ended = read < shard_records
            else:
                block = [*islice(records, shard_records)]
                ended = len(block) < shard_records
                documents, rejected = _parse(source, block)
                vectors = encoder.encode(
                    [encoder.manifest.document_text(each.title, lead(each)) for each in documents]
                )
                made = Shard(
                    number=number,
                    records=len(block),
                    documents=len(documents),
                    rejected=rejected,
                    last=ended,
                )
                shards.write(made, documents, vectors.astype(dtype))
                report(replace(progress.after(made), done=1.0 if ended else source.done))
            if made is not None:
                progress = progress.after(made)
            number += 1
    return replace(progress, done=1.0)


def _parse(
    source: DocumentFile, block: Iterable[Record]
) -> tuple[list[Document], list[RejectedLine]]:
    documents: list[Document] = []
    rejected: list[RejectedLine] = []
    for record in block:
        try:
            documents.append(source.document(record))
        except Rejected as reason:
            rejected.append(RejectedLine(line=record.line, reason=str(reason)))
    return documents, rejected
