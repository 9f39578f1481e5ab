"""Collections in Milvus: their names, their fields, and the content that a name tells.

A collection that users name `literature` stands for a physical collection whose name carries all
that decides whether it can be searched: the encoder's fingerprint, the identity of the word
analysis, the layout of its rows, and the generation (a time, so that later rebuilds sort later).
Names work in the same way on every Milvus; descriptions and properties do not.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.common.documents import MAX_ID_BYTES, MAX_TITLE_BYTES, Content
from services.common.errors import InvalidRequest
from services.common.fields.values import readable
from services.common.patterns import explained

NAME_RULE = (
    "starts with a letter and has at most 48 lower-case letters and digits, with single"
    " underscores or hyphens between"
)
"""What is said of the name of a collection, as the rest of a sentence."""
NAME_PATTERN = explained(r"^[a-z](?:[_-]?[a-z0-9]){0,47}$", f"the name of a collection {NAME_RULE}")
"""Pattern of the names that users give to collections; the form in which Milvus holds them is
allowed in every version of Milvus."""
_NAME = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))
_HYPHEN = "___"
"""The form of a hyphen in Milvus, whose names consist of letters, digits and underscores."""
_PHYSICAL = re.compile(
    r"(?P<name>.+?)__e(?P<encoder>[0-9a-f]{16})__a(?P<analyzer>\d+(?:d[0-9a-f]{8})?)"
    r"(?:__r(?P<layout>\d+))?__g(?P<generation>[0-9a-f]{16})"
)
LAYOUT = 2
"""The layout of rows that this version writes. Layout 1, of names that tell none, has no FACETS."""


class Field(StrEnum):
    """The columns of a row. Every row is written whole; those of CONTENT are named as the members
    of a document."""

    ID = "id"
    TITLE = "title"
    TEXT = "text"
    FIELDS = "fields"
    FACETS = "facets"
    """Digests of FIELDS that filters are compiled to, made by `services.common.filters.facets`."""
    WORDS = "words"
    """Words of our own analysis with a space between them; input of Milvus's BM25 function."""
    LEXICAL = "lexical"
    """The sparse vector that the BM25 function makes of WORDS; absent on servers without it."""
    VECTOR = "vector"
    VERSION = "version"
    """The time at which the write was accepted, in nanoseconds since the epoch; the newest wins."""


class PassageField(StrEnum):
    """The columns of a passage that a document's row has not. A passage has TEXT, FIELDS, FACETS,
    WORDS, LEXICAL and VECTOR too, and an ID made by `PassageKey`."""

    DOCUMENT = "document"
    """Id of the document, as its row holds it."""
    NUMBER = "number"
    """Place of the passage among those of the document, from 0."""
    COUNT = "count"
    """Number of passages of the document."""
    START = "start"
    """Place of the passage's first character in the body or text, from 0."""
    PAGE = "page"
    """Number of the page that the passage begins on, from 1; 0 where the body tells no pages, and
    OF_TEXT where the passage is one of the text."""
    SECTION = "section"


OF_TEXT = -1
"""The page of the passages of a long text, which belong to no body."""


class ColumnType(StrEnum):
    """The types of columns, as Milvus names them."""

    TEXT = "VARCHAR"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that holds one member of a document."""

    field: Field
    kind: ColumnType
    max_bytes: int = 0
    """Limit of a text in bytes of UTF-8; 0 for a column of another kind."""
    since: int = 1
    """The first layout of rows that has the column."""


CONTENT = (
    Column(Field.ID, ColumnType.TEXT, MAX_ID_BYTES),
    Column(Field.TITLE, ColumnType.TEXT, MAX_TITLE_BYTES),
    Column(Field.TEXT, ColumnType.TEXT, 65_535),
    Column(Field.FIELDS, ColumnType.JSON),
)
"""The columns of a document's members, which the schema, writing and reading of rows follow. The
body lies in the collection of passages."""

_QUOTE, _STAND_IN = "'", "\x1a"


def stored_id(identity: str) -> str:
    """A document's id as its row holds it: an apostrophe becomes the control character SUB, which
    no id has. The embedded engine puts the ids of a deletion into SQL between apostrophes."""
    return identity.replace(_QUOTE, _STAND_IN)


def document_id(stored: str) -> str:
    """The id of a document from its row."""
    return stored.replace(_STAND_IN, _QUOTE)


def id_literal(identity: str) -> str:
    """A document's id as a constant of Milvus's expression language."""
    escaped = stored_id(identity).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def among(keys: Iterable[str]) -> str:
    """The expression that selects the rows with these keys."""
    return f"{Field.ID} in [{', '.join(map(id_literal, keys))}]"


@dataclass(frozen=True, slots=True)
class PassageKey:
    """What names a passage. The version is part of it, so that the passages of a new version are
    written beside those of the old one, and count from when the document's row has that version."""

    document: str
    version: int
    number: int

    def __str__(self) -> str:
        return f"{self.version:016x}{self.number:06x}{stored_id(self.document)}"

    @classmethod
    def parse(cls, key: str) -> "PassageKey":
        """The key of a stored passage."""
        return cls(document_id(key[22:]), int(key[:16], 16), int(key[16:22], 16))


MAX_PASSAGE_KEY_BYTES = 22 + MAX_ID_BYTES


def passages_name(physical: object) -> str:
    """The name of the collection that holds the passages of a physical collection's documents.

    There is none until the first document with a body is written."""
    return f"{physical}__p"


def content_fields(layout: int) -> list[Field]:
    """The columns of a document's members in a collection of this layout."""
    return [column.field for column in CONTENT if column.since <= layout]


def content_values(content: Content) -> dict[str, Any]:
    """The members of a document as the columns of its row hold them."""
    values: dict[str, Any] = {column.field: getattr(content, column.field) for column in CONTENT}
    return values | {Field.ID: stored_id(content.id)}


def content_of(row: Mapping[str, Any]) -> Content:
    """The document of a row that was read with `content_fields`.

    Members that the layout of its collection lacks get their defaults.
    """
    members = {column.field.value: row[column.field] for column in CONTENT if column.field in row}
    fields = members["fields"]
    fields = json.loads(fields) if isinstance(fields, str | bytes) else dict(fields or {})
    own = {"id": document_id(row[Field.ID]), "fields": readable(fields)}
    return Content.model_construct(**(members | own))


def milvus_name(name: str) -> str:
    """A user's name of a collection as Milvus holds it."""
    return name.replace("-", _HYPHEN)


def user_name(held: str) -> str:
    """The user's name of a collection from the name that Milvus holds; users' names have single
    underscores only."""
    return held.replace(_HYPHEN, "-")


@dataclass(frozen=True, slots=True)
class PhysicalName:
    """The parsed name of a physical collection."""

    name: str
    encoder: str
    """Fingerprint, 16 hex digits."""
    analyzer: str
    """Identity of the word analysis: its version, and the digest of a user dictionary."""
    generation: int
    """The time of its creation, in nanoseconds since the epoch."""
    layout: int = LAYOUT

    def __str__(self) -> str:
        layout = f"__r{self.layout}" if self.layout > 1 else ""
        made_for = f"__e{self.encoder}__a{self.analyzer}{layout}"
        return f"{milvus_name(self.name)}{made_for}__g{self.generation:016x}"

    @classmethod
    def parse(cls, physical: str) -> "PhysicalName | None":
        """The parts of a physical collection's name; None if the name has another form."""
        match = _PHYSICAL.fullmatch(physical)
        if match is None:
            return None
        return cls(
            user_name(match["name"]),
            match["encoder"],
            match["analyzer"],
            int(match["generation"], 16),
            int(match["layout"] or 1),
        )


def is_collection_name(name: str) -> bool:
    """Whether users can give a collection this name."""
    return _NAME.fullmatch(name) is not None


def check_collection_name(name: str) -> str:
    """Raises InvalidRequest unless the name can be used on every Milvus."""
    if not is_collection_name(name):
        raise InvalidRequest(f"Collection name {name[:80]!r} is not possible: it {NAME_RULE}.")
    return name
