"""User dictionaries: words of a collection's own field, in addition to those of the language.

They are files named `<collection>.txt` in one folder that recall, the indexer and its workers
share. Each line is a word, as in jieba's own user dictionaries; what follows a space (frequency,
part of speech) is ignored. The dictionary that filled an index is part of the index's name, so an
index is never searched with other words than it was made of.
"""

from pathlib import Path

from services.common.errors import DictionaryInvalid
from services.common.text.analyzer import WordAnalyzer

MAX_WORDS = 200_000
"""Most words of one dictionary."""
_MAX_WORD_CHARS = 64


class Analyzers:
    """The word analysis of each collection. Files are read at the start and not again."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises DictionaryInvalid, so that a service with a bad file does not start."""
        paths = sorted(folder.glob("*.txt")) if folder is not None else []
        self._own = {path.stem: WordAnalyzer(read_words(path)) for path in paths}
        # The dictionary is loaded at the start, so that no first query waits for it.
        self._common = WordAnalyzer()

    def of(self, collection: str) -> WordAnalyzer:
        """The analyzer of a collection: its own, or the one without user words."""
        return self._own.get(collection, self._common)


def read_words(path: Path) -> list[str]:
    """The words of a dictionary, in the order of its lines. Raises DictionaryInvalid."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DictionaryInvalid(f"{path.name} is no file of words in UTF-8") from error
    words = []
    for number, line in enumerate(lines, start=1):
        word = line.split()[0] if line.strip() else ""
        if len(word) > _MAX_WORD_CHARS:
            raise DictionaryInvalid(
                f"{path.name}, line {number}: a word has at most {_MAX_WORD_CHARS} characters"
            )
        if word:
            words.append(word)
    if len(words) > MAX_WORDS:
        raise DictionaryInvalid(f"{path.name} has more than {MAX_WORDS:,} words")
    return words
