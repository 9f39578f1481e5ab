"""User dictionaries in storage, by collection and identity, from which the indexer and its workers
make analyzers. The methods are synchronous, to be called from threads."""

import logging
from collections.abc import Sequence

from services.common.text import Analyzers, WordAnalyzer
from services.indexer.store import NoSuchObject, ObjectStore

_PREFIX = "dictionaries"

logger = logging.getLogger(__name__)


class Dictionaries:
    """The dictionaries of all collections. Methods raise Unavailable if storage fails."""

    def __init__(self, store: ObjectStore, analyzers: Analyzers) -> None:
        self._store = store
        self.analyzers = analyzers
        """The analyzers in memory, with those of the files."""

    def keep(self, collection: str, analyzer: WordAnalyzer) -> None:
        """Stores the words of an analyzer, durable when this returns."""
        content = "\n".join(analyzer.user_words).encode()
        self._store.write(_key(collection, analyzer.identity), content)

    def words(self, collection: str, identity: str) -> Sequence[str] | None:
        """The words of a stored dictionary; None if there is none of this identity, or if it is
        damaged."""
        key = _key(collection, identity)
        try:
            content = self._store.read(key).decode()
        except NoSuchObject:
            return None
        except UnicodeDecodeError:
            logger.exception("a stored dictionary is damaged", extra={"object": key})
            return None
        return content.split("\n") if content else []

    def analyzer(self, collection: str, identity: str) -> WordAnalyzer | None:
        """The analyzer of this identity; None if it is neither in memory nor in storage, or of
        another version of the word analysis."""
        if (known := self.analyzers.known(identity)) is not None:
            return known
        words = self.words(collection, identity)
        made = None if words is None else self.analyzers.made(words)
        return made if made is not None and made.identity == identity else None

    def remove(self, collection: str) -> None:
        """Removes the dictionaries of a dropped collection."""
        for identity in self._store.names(f"{_PREFIX}/{collection}"):
            self._store.remove(_key(collection, identity))


def _key(collection: str, identity: str) -> str:
    return f"{_PREFIX}/{collection}/{identity}"
