"""Finds the values of a document's metadata that a query names: its author, its DOI, its journal.

The search by words finds these values, while fusion and rank read title and text. A named value
stands before the text that they read; otherwise a document that holds the whole query in its
metadata would count as one that holds nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.common.text import WordAnalyzer
from services.common.text.analyzer import compared
from services.common.text.identifiers import bare_doi
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.domain import Found
from services.recall.query.rules import Saying

_MOST_CHARS = 200
"""Characters of the longest value that a query can name."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The wordings of one query, which may name values."""

    said: Sequence[Saying]
    words: frozenset[str]
    """Words of all wordings."""
    letters: Sequence[str]
    """Letters and digits of each wording."""
    analyzer: WordAnalyzer

    @classmethod
    def of(cls, said: Sequence[Saying], analyzer: WordAnalyzer) -> "Naming":
        """The wordings as values are compared with them."""
        words = frozenset(word for one in said for word in one.words)
        return cls(said, words, [_letters(one.text) for one in said], analyzer)

    def with_named(self, found: Found) -> Found:
        """The document with the values that the query names, and that its title and its text do
        not hold, before its text."""
        named = [
            value
            for value in dict.fromkeys(map(bare_doi, found.values))
            if self._names(value) and value not in found.title and value not in found.text
        ]
        if not named:
            return found
        return found._replace(text="\n".join((*named, found.text))[:MAX_TEXT_CHARS])

    def _names(self, value: str) -> bool:
        """Whether the query has all words of a value."""
        # Most values differ from the query at their ends, which is quicker to see.
        ends = map(_letters, (value[:1], value[-1:]))
        if len(value) > _MOST_CHARS or not all(map(self._has, ends)):
            return False
        letters = _letters(value)
        if not letters or not self._has(letters):
            return False
        return self.words.issuperset(self.analyzer.words(value))

    def _has(self, letters: str) -> bool:
        return any(letters in one for one in self.letters)


@lru_cache(maxsize=20_000)
def _letters(text: str) -> str:
    """Letters and digits of a text in the form in which texts are compared. Ends of values, and
    values of the same documents, come again and again."""
    return "".join(filter(str.isalnum, compared(text)))
