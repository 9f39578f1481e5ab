"""Passages of long documents in the answers of searches."""

from pydantic import BaseModel, Field

MOST_SHOWN = 4
"""Most passages of a document in an answer, including the best one."""


class PassagePlace(BaseModel):
    """The place of a passage in a document's body."""

    number: int = Field(description="Number of the passage in the order of the body, from 0")
    start: int = Field(description="Index of its first character in the body, from 0")
    end: int = Field(description="Index of the character after its last")
    page: int | None = Field(
        default=None, description="Number of its page, from 1; null if the body has no pages"
    )
    section: str = Field(default="", description="Headings above it, the outermost first")


class Passage(PassagePlace):
    """A part of a document's body."""

    text: str


class ShownPassages(BaseModel):
    """Passages of one document, the best one first, and the number of all its passages."""

    count: int = Field(description="Number of passages of the document")
    passages: list[Passage]
