"""The result of reading a file, and the error for a file that cannot be read."""

from dataclasses import dataclass, field

from services.common.fields.values import FieldValue

PAGE_BREAK = "\f"


class Unreadable(Exception):
    """The file holds no document. The message is the reason for the user, without a subject."""


@dataclass(slots=True)
class Extracted:
    """The parts of a file as a document."""

    title: str = ""
    abstract: str = ""
    """The abstract that was recognised in the text; empty if there is none."""
    body: str = ""
    """The whole text, at most as long as a body may be: headings as lines that begin with `#`, an
    empty line between paragraphs, and a form feed between pages."""
    fields: dict[str, FieldValue] = field(default_factory=dict)
    left_out: int = 0
    """Number of characters at the end of the text that did not fit into the body."""


def within(text: str, limit: int) -> str:
    """The beginning of a text that has at most `limit` bytes, cut at the end of a paragraph, a
    sentence or at least a character."""
    content = text.encode("utf-8", "replace")
    if len(content) <= limit:
        return content.decode()
    kept = content[:limit].decode("utf-8", "ignore")
    for end in ("\n", "。", ". ", "；", " "):
        if (place := kept.rfind(end)) > len(kept) * 3 // 4:
            return kept[: place + len(end)].rstrip()
    return kept
