"""The user dictionary of a collection: words of its own field, set by its owner."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.common.dictionary_files import MAX_WORD_CHARS, MAX_WORDS
from services.common.patterns import explained

MAX_BYTES = 4 * 1024 * 1024
"""Limit of all words of a dictionary in bytes of UTF-8."""

OwnWord = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=MAX_WORD_CHARS,
        pattern=explained(r"^[^\s\x00-\x1f\x7f-\x9f]+$", "write a word without white space"),
    ),
]
"""A word without white space and control characters, which queries and documents keep whole."""


class DictionaryUpdate(BaseModel):
    """Words that replace those of a collection's dictionary."""

    model_config = ConfigDict(extra="forbid")

    words: list[OwnWord] = Field(
        max_length=MAX_WORDS,
        description="Words that the segmenter keeps whole; none returns to the operator's file",
        examples=[["引力波透镜", "寻文系统"]],
    )


class DictionaryWritten(BaseModel):
    """The result of a change of a dictionary."""

    words: int = Field(description="Number of different words")
    waiting: bool = Field(
        description="Whether documents and queries are cut by other words until the next rebuild"
    )


class StoredDictionary(BaseModel):
    """The user dictionary of a collection."""

    words: list[str] = Field(
        description="Words in the form in which texts are compared, in order; those of the"
        " operator's file if the owner set none"
    )
    waiting: bool = Field(
        description="Whether documents and queries are cut by other words until the next rebuild"
    )
