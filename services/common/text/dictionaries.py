"""User dictionaries: words of a collection's own field, in addition to those of the language.

The owner of a collection sets them through the API. Without that, they come from files named
`<collection>.txt` in one folder that recall, the indexer and its workers share. Each line is a
word, as in jieba's own user dictionaries; what follows a space (frequency, part of speech) is
ignored.

The identity of the dictionary that filled an index is part of the index's name, and its words lie
beside the index, so an index is never searched with other words than it was made of.
"""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from services.common.dictionary_files import files_of_words, read_words
from services.common.text.analyzer import WordAnalyzer

_MOST_KEPT = 8
"""Number of analyzers that are kept in memory beside those of the files; each has a dictionary of
the language of its own."""


class Analyzers:
    """The word analyses of collections, by their identity too. Files are read at the start and not
    again."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises DictionaryInvalid, so that a service with a bad file or without the folder that it
        was told of does not start."""
        paths = files_of_words(folder) if folder is not None else []
        self._own = {path.stem: WordAnalyzer(read_words(path)) for path in paths}
        # The dictionary is loaded at the start, so that no first query waits for it.
        self._common = WordAnalyzer()
        self._lasting = {one.identity: one for one in (self._common, *self._own.values())}
        self._kept: OrderedDict[str, WordAnalyzer] = OrderedDict()
        """Further analyzers by identity, the least recently used first."""
        self._changing = Lock()

    def of(self, collection: str) -> WordAnalyzer:
        """The analyzer by the files: a collection's own, or the one without user words."""
        return self._own.get(collection, self._common)

    def known(self, identity: str) -> WordAnalyzer | None:
        """The analyzer of this identity, if it is in memory."""
        if (lasting := self._lasting.get(identity)) is not None:
            return lasting
        kept = self._kept.get(identity)
        if kept is not None:
            with suppress(KeyError):  # Another thread may have dropped it meanwhile.
                self._kept.move_to_end(identity)
        return kept

    def made(self, words: Iterable[str]) -> WordAnalyzer:
        """The analyzer of a dictionary, made in about 0.1 s and then kept in memory."""
        made = WordAnalyzer(words)
        with self._changing:
            self._kept[made.identity] = made
            self._kept.move_to_end(made.identity)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return made
