"""The passages of long documents in the form in which they travel to the index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.common.documents import Content, has_body, long_part
from services.common.fields.types import FieldType, weight_of
from services.common.model_dir import ModelManifest
from services.common.text import WordAnalyzer
from services.common.text.passages import OVERLAP_BYTES, SIZE_BYTES, Span, passages
from services.indexer.words import fitting

Matrix = npt.NDArray[np.float32]

_PLACES = "passages"
"""Name of the column of their places and words."""
_VECTORS = "vectors of passages by "
"""Prefix of the name of a column, before the encoder's fingerprint."""
_PLACE = pa.list_(
    pa.struct(
        [
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("page", pa.int64()),
            ("section", pa.string()),
            ("words", pa.string()),
        ]
    )
)


@dataclass(frozen=True, slots=True)
class Passages:
    """All passages of one document, in their order."""

    spans: Sequence[Span]
    words: Sequence[str]
    """Words as the index takes them; empty if the passages were read back."""
    vectors: Matrix
    """Vectors float32 [passages, dimension]; [0, 0] if none were asked for."""

    def __len__(self) -> int:
        return len(self.spans)


@dataclass(frozen=True, slots=True)
class Cut:
    """The passages of one document before they have vectors."""

    document: Content
    spans: Sequence[Span]
    words: Sequence[str]

    def rendered(self, manifest: ModelManifest) -> list[str]:
        """The text of each passage that the encoder reads.

        It is the document's title and the nearest heading, which tell what it is about, and the
        passage.
        """
        title, whole = self.document.title, long_part(self.document)
        return [
            manifest.document_text(_headed(title, span), whole[span.start : span.end].strip())
            for span in self.spans
        ]

    def encoded(self, vectors: Sequence[npt.NDArray[np.float32]]) -> Passages | None:
        """The passages with the vectors of their rendered texts; None if there are no passages."""
        return Passages(self.spans, self.words, np.stack(vectors)) if self.spans else None


def cut(
    document: Content,
    analyzer: WordAnalyzer,
    types: Mapping[str, FieldType] | None = None,
    *,
    size: int = SIZE_BYTES,
    overlap: int = OVERLAP_BYTES,
) -> Cut:
    """The passages of a document's body or long text; none if it has neither. `types` have the
    weights of title, text and body."""
    whole = long_part(document)
    spans = passages(whole, size=size, overlap=overlap)
    times = weight_of("title", types), weight_of("body" if has_body(document) else "text", types)
    words = [
        _words(document.title, span, whole[span.start : span.end], analyzer, times)
        for span in spans
    ]
    return Cut(document, spans, words)


def _headed(title: str, span: Span) -> str:
    heading = span.section.rpartition(" › ")[2]
    return f"{title} {heading}".strip() if heading else title


def _words(
    title: str, span: Span, passage: str, analyzer: WordAnalyzer, times: tuple[int, int]
) -> str:
    """The words of a passage under its title, which count so many times; none if those of the
    passage count nothing, so that a title is not found once for each passage."""
    of_title, of_passage = times
    if not of_passage:
        return ""
    own = f"{span.section}\n{passage}"
    words = analyzer.document_words(f"{title}\n{own}" if of_title else own)
    for part, count in ((title, of_title), (own, of_passage)):
        if count > 1:
            words += analyzer.words(part) * (count - 1)
    return fitting(words)


def columns(rows: Mapping[str, Sequence[Passages | None]]) -> dict[str, Any]:
    """The passages of documents, by encoder, as columns of an Arrow table; no columns if there are
    none."""
    first = next(iter(rows.values()))
    if not any(first):
        return {}
    places = [
        None
        if one is None
        else [
            {
                "start": span.start,
                "end": span.end,
                "page": span.page,
                "section": span.section,
                "words": words,
            }
            for span, words in zip(one.spans, one.words, strict=True)
        ]
        for one in first
    ]
    vectors = {
        f"{_VECTORS}{encoder}": pa.array(
            [None if one is None else one.vectors.astype("<f4").tobytes() for one in several],
            pa.large_binary(),
        )
        for encoder, several in rows.items()
    }
    return {_PLACES: pa.array(places, _PLACE), **vectors}


def holds(column: str) -> bool:
    """Whether a column of a table is one of those that `columns` makes."""
    return column == _PLACES or column.startswith(_VECTORS)


def read(table: Any, encoder: str) -> Iterator[Passages | None]:
    """The passages of each document of a table with the columns of `columns`."""
    if _PLACES not in table.column_names:
        yield from (None for _ in range(len(table)))
        return
    places = table.column(_PLACES).to_pylist()
    packings = table.column(f"{_VECTORS}{encoder}")
    for several, packed in zip(places, packings, strict=True):
        if several is None:
            yield None
            continue
        vectors = np.frombuffer(packed.as_py(), dtype="<f4").reshape(len(several), -1)
        spans = [Span(one["start"], one["end"], one["page"], one["section"]) for one in several]
        yield Passages(spans, [one["words"] for one in several], vectors)
