"""Turns millions of lines into shards of vectors, in constant memory, from where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from services.common.documents import Document
from services.common.engine import Encoder
from training.extract.lines import Line, Rejected, document_of, open_source, read_lines
from training.extract.shards import ExtractionError, Plan, RejectedLine, Shard, ShardFolder

SHARD_LINES = 10_000

_JSON_SUFFIXES = {".jsonl", ".ndjson"}
_TEXT_SUFFIXES = {".txt"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an extraction is."""

    lines: int = 0
    documents: int = 0
    rejected: int = 0
    done: float = 0.0
    """Share of the input's bytes that was read, 0 to 1."""

    def after(self, shard: Shard) -> "Progress":
        return replace(
            self,
            lines=self.lines + shard.lines,
            documents=self.documents + shard.documents,
            rejected=self.rejected + len(shard.rejected),
        )


def extract(
    source: Path,
    folder: Path,
    encoder: Encoder,
    *,
    dtype: Literal["float32", "float16"] = "float32",
    shard_lines: int = SHARD_LINES,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Progress:
    """Encode every document of `source` into `folder`; `report` is told after each shard.

    Shard k holds the documents of lines [k * shard_lines, (k + 1) * shard_lines), so a killed
    run that is started again ends with the same bytes. Raises ExtractionError.
    """
    json_lines = _is_json(source)
    shards = ShardFolder(folder)
    try:
        size = source.stat().st_size
    except OSError as error:
        raise ExtractionError(f"{source} cannot be read: {error.strerror}") from error
    shards.start(
        Plan(
            source=source.name,
            source_bytes=size,
            encoder=encoder.manifest.fingerprint,
            precision=encoder.precision,
            dimension=encoder.dimension,
            dtype=dtype,
            shard_lines=shard_lines,
        )
    )
    progress, number, offset, ended = Progress(), 0, 0, False
    for shard in shards.finished():
        progress = progress.after(shard)
        number, offset, ended = shard.number + 1, shard.next_offset, shard.last
    if ended:
        return replace(progress, done=1.0)
    with open_source(source) as opened:
        opened.stream.seek(offset)
        while not ended:
            block = read_lines(opened.stream, progress.lines + 1, shard_lines)
            ended = len(block) < shard_lines
            documents, rejected = _parse(block, json_lines=json_lines)
            vectors = encoder.encode(
                [encoder.manifest.document_text(item.title, item.text) for item in documents]
            )
            shard = Shard(
                number=number,
                lines=len(block),
                documents=len(documents),
                rejected=rejected,
                next_offset=opened.stream.tell(),
                last=ended,
            )
            shards.write(shard, documents, vectors.astype(dtype))
            number += 1
            done = 1.0 if ended else min(1.0, opened.raw.tell() / size)
            progress = replace(progress.after(shard), done=done)
            report(progress)
    return progress


def _parse(block: list[Line], *, json_lines: bool) -> tuple[list[Document], list[RejectedLine]]:
    documents: list[Document] = []
    rejected: list[RejectedLine] = []
    for line in block:
        if not line.content.strip():
            continue
        try:
            documents.append(document_of(line, json_lines=json_lines))
        except Rejected as reason:
            rejected.append(RejectedLine(line=line.number, reason=str(reason)))
    return documents, rejected


def _is_json(source: Path) -> bool:
    suffixes = [suffix for suffix in source.suffixes if suffix != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _JSON_SUFFIXES:
        return True
    if suffix in _TEXT_SUFFIXES:
        return False
    raise ExtractionError(
        f"{source.name} does not say its format: .jsonl (a document a line) or .txt (a text a"
        " line), each also .gz"
    )
