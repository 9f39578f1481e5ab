"""Patterns of texts, with what to write where a text does not match: a pattern says that to
programs only."""

_WORDS: dict[str, str] = {}


def explained(pattern: str, words: str) -> str:
    """The pattern, whose mismatch is reported to clients with these words."""
    _WORDS[pattern] = words
    return pattern


def what_to_write(pattern: str) -> str | None:
    """The words for a pattern; None if it has none."""
    return _WORDS.get(pattern)


NOT_BLANK = explained(r"[^\s\x85]", "write at least one character that can be seen")
"""Pattern of texts that are not only white space. U+0085 is named since the engines of patterns, of
clients and of ours, do not agree on it."""
