"""Checks the texts of a body and divides them into portions of work."""

from collections.abc import Iterator, Sequence

from pydantic_core import PydanticCustomError

MAX_CHARS = 100_000
"""Most characters of one text; the models read far fewer."""
_PORTION_CHARS = 1_500
"""Characters of a portion. Each portion has the whole budget of a call of the model's service, ten
seconds; even on a busy machine this many characters take only a part of it."""
_READ_CHARS = 600
"""Most characters of a text that count for a portion, since the models read no more of it."""


def portions(texts: Sequence[str], query: str = "") -> Iterator[list[str]]:
    """The texts in lists that a model can process well within the budget of one call.

    `query` is read again with each text. Each portion holds at least one text.
    """
    portion: list[str] = []
    chars = 0
    for text in texts:
        size = min(len(query) + len(text), _READ_CHARS)
        if portion and chars + size > _PORTION_CHARS:
            yield portion
            portion, chars = [], 0
        portion.append(text)
        chars += size
    if portion:
        yield portion


def refused(reason: str) -> PydanticCustomError:
    """The error by which a validator refuses a value."""
    return PydanticCustomError("compatible", "{reason}", {"reason": reason})


def checked_text(value: object, place: str) -> str:
    """A text that a model can read. Raises PydanticCustomError with `place` before its message."""
    if not isinstance(value, str):
        raise refused(f"{place}a string is needed")
    if not value:
        raise refused(f"{place}the text is empty; leave it out")
    if len(value) > MAX_CHARS:
        raise refused(f"{place}the text has {len(value):,} characters, at most {MAX_CHARS:,}")
    return value
