"""How a collection lies in Milvus: names, fields, and what a name tells about its content.

A collection that users name `literature` is an *alias* of a physical collection whose name
carries all that decides whether it can be searched: the encoder's fingerprint, the identity
of the word analysis, and the generation (a time, so that later rebuilds sort later). Names
work alike on milvus-lite, Milvus 2.3 and a cluster; descriptions and properties do not.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import InvalidRequest

_NAME = re.compile(r"[a-z](?:_?[a-z0-9]){0,47}")
NAME_PATTERN = r"^[a-z](?:_?[a-z0-9]){0,47}$"
_PHYSICAL = re.compile(
    r"(?P<name>.+?)__e(?P<encoder>[0-9a-f]{16})__a(?P<analyzer>\d+(?:d[0-9a-f]{8})?)"
    r"__g(?P<generation>[0-9a-f]{16})"
)


class Field(StrEnum):
    """The fields of a row. Every row is written whole (milvus-lite merges, others replace)."""

    ID = "id"
    TITLE = "title"
    TEXT = "text"
    FIELDS = "fields"
    WORDS = "words"
    """Space-separated words of our own analysis; input of Milvus's BM25 function."""
    LEXICAL = "lexical"
    """Sparse vector that the BM25 function makes of WORDS; absent on servers without it."""
    VECTOR = "vector"
    VERSION = "version"
    """Nanoseconds since the epoch at which the write was accepted; the newest wins."""


@dataclass(frozen=True, slots=True)
class PhysicalName:
    """The parsed name of a physical collection."""

    name: str
    encoder: str
    """Fingerprint, 16 hex digits."""
    analyzer: str
    """Identity of the word analysis: its version, and the digest of a user dictionary."""
    generation: int
    """Nanoseconds since the epoch at its creation."""

    def __str__(self) -> str:
        return f"{self.name}__e{self.encoder}__a{self.analyzer}__g{self.generation:016x}"

    @classmethod
    def parse(cls, physical: str) -> "PhysicalName | None":
        """None when the collection is not one of ours."""
        match = _PHYSICAL.fullmatch(physical)
        if match is None:
            return None
        return cls(match["name"], match["encoder"], match["analyzer"], int(match["generation"], 16))


def check_collection_name(name: str) -> str:
    """Raises InvalidRequest unless the name can be used on every Milvus."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"Collection name {name[:80]!r} is not possible: lower-case letters, digits and single"
            " underscores, starting with a letter, at most 96 characters."
        )
    return name
