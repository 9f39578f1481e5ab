"""Rows of the index, and the words of documents in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.common.documents import Content, lexical_source, repeated_sources
from services.common.errors import InvalidRequest
from services.common.fields.types import FieldType, weight_of
from services.common.text import WordAnalyzer, index_text
from services.common.text.analyzer import MAX_INDEX_BYTES
from services.indexer import passages
from services.indexer.passages import Passages
from services.indexer.words import fitting

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A clean document of a part, with the line that it came from."""

    line: int
    document: Content
    vector: Vector | None = None
    """The vector that came with the document; None if the worker is to encode it."""
    version: int | None = None
    """The version of a document that a rebuild carries over; None takes the job's."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the index with all its members."""

    document: Content
    words: str
    """The words of the document, as `document_words` makes them; empty in a row that was read
    back."""
    vector: Vector
    version: int | None = None
    """Version of the row; None takes the version of the write."""
    passages: Passages | None = None
    """The passages of the body or of a long text; None if there is neither, or if they were not
    read back."""
    analyzer: str = ""
    """Identity of the analysis that cut the words; empty in a row that was read back."""

    @property
    def id(self) -> str:
        """The document's id, which is the row's key."""
        return self.document.id


EncodedRows = Mapping[str, Sequence[Row]]
"""Rows of the same documents in the same order, by the encoder of their vectors.

A document that is written while its collection is rebuilt with another encoder has two.
"""


def document_row(document: Content, vector: Vector, analyzer: WordAnalyzer) -> Row:
    """The row of a document without passages. Raises InvalidRequest."""
    words = document_words(document, analyzer)
    return Row(document, words, vector, analyzer=analyzer.identity)


def recut(row: Row, analyzer: WordAnalyzer, types: Mapping[str, FieldType]) -> Row:
    """A row with words by another analyzer. Raises InvalidRequest."""
    if row.analyzer == analyzer.identity:
        return row
    parts = row.passages
    if parts is not None:
        parts = replace(parts, words=passages.cut(row.document, analyzer, types).words)
    words = document_words(row.document, analyzer, types)
    return replace(row, words=words, passages=parts, analyzer=analyzer.identity)


def without_passages(row: Row) -> Row:
    """The part of a row that is not written as passages."""
    document = row.document
    if document.body:
        document = document.model_copy(update={"body": ""})
    return replace(row, document=document, passages=None)


def document_words(
    document: Content, analyzer: WordAnalyzer, types: Mapping[str, FieldType] | None = None
) -> str:
    """The words of a document as Milvus gets them, every different word among them, as many times
    as the weights in `types` say.

    A document of more than about 15,000 Chinese characters can exceed the limit of a VARCHAR. Then
    words that come very often are written less often: BM25 saturates in the frequency of a word, so
    the rank hardly changes. Raises InvalidRequest for a document whose different words alone exceed
    the limit, rather than leave some out. Of a body, words beyond the limit are left out at the
    end: its passages have all of them.
    """
    own = analyzer.document_words(lexical_source(document, types))
    for part, times in repeated_sources(document, types or {}):
        own += analyzer.words(part) * times
    text = fitting(own)
    if (size := len(text.encode())) > MAX_INDEX_BYTES:
        raise InvalidRequest(
            f"The document has {size:,} bytes of different words, at most {MAX_INDEX_BYTES:,} can"
            " be indexed; split it into several documents, or send the long text as `body`."
        )
    times = weight_of("body", types)
    if not document.body or not times:
        return text
    every = [*own, *analyzer.document_words(document.body)]
    if times > 1:
        every += analyzer.words(document.body) * (times - 1)
    return index_text(fitting(every).split(" "))
