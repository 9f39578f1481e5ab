"""Keeps the query rules of collections in memory by their version, and selects those of a query."""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.common.ending import ended
from services.common.errors import Unavailable
from services.common.text.analyzer import compared
from services.common.wire.query_rules import rules_key, rules_version_key
from services.common.wire.recall import MAX_REPLACED
from services.gateway.search.query.search import Search
from services.gateway.stores.state_reader import StateReader

logger = logging.getLogger(__name__)

_MOST_WORDS = 500_000
"""Most words of rules that are kept, of all collections together; they take about 60 MB."""

_BOOK_WORDS = 10
"""Words that take as much memory as a book without any."""

RulesMembers = Mapping[str, Any]
"""A wire RulesOfQuery as a plain mapping."""


class _Words:
    """Finds which of many words are in a text."""

    def __init__(self, words: Iterable[str]) -> None:
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        self._words = frozenset(words)
        for word in self._words:
            lengths[word[0]].add(len(word))
        self._lengths = {first: sorted(some) for first, some in lengths.items()}

    def within(self, text: str) -> list[str]:
        """The words that are in a text, the longest first."""
        found = {
            text[at : at + length]
            for at, first in enumerate(text)
            for length in self._lengths.get(first, ())
        }
        return sorted(found & self._words, key=lambda word: (-len(word), word))


class Rulebook:
    """The rules of one collection in the form in which queries are looked up."""

    def __init__(self, rules: Mapping[str, Any], version: str) -> None:
        self.version = version
        self._by = _replacements(rules.get("synonyms", ()))
        self._stops = list(dict.fromkeys(map(compared, rules.get("stop_words", ()))))
        self._pins = {_whole(one["query"]): one for one in rules.get("queries", ())}
        self._synonym_words = _Words(self._by)
        self._stop_words = _Words(self._stops)
        self.size = len(self._by) + len(self._stops) + len(self._pins) + _BOOK_WORDS

    def of(self, query: str, phrases: Sequence[str] = ()) -> RulesMembers | None:
        """The rules for a query; None if there are none.

        A word inside one of the phrases is meant as it is written and has no synonyms.
        """
        text = compared(query)
        written = list(map(compared, phrases))
        words = [
            word
            for word in self._synonym_words.within(text)
            if not any(word in phrase for phrase in written)
        ]
        pins = self._pins.get(_whole(query), {})
        said = {
            "synonyms": [{"word": word, "by": self._by[word]} for word in words[:MAX_REPLACED]],
            "stop_words": self._stop_words.within(text),
            "pinned": pins.get("pinned", []),
            "hidden": pins.get("hidden", []),
        }
        return said if any(said.values()) else None


@dataclass(slots=True)
class RuleBooks:
    """Reads the rules of a collection if their version differs from the one in memory."""

    reader: StateReader
    _books: OrderedDict[str, Rulebook] = field(default_factory=OrderedDict, init=False)
    """Rules by collection, the least recently used first."""
    _words: int = field(default=0, init=False)
    """Sum of the sizes of these books."""
    _reading: dict[tuple[str, str], "asyncio.Task[Rulebook]"] = field(
        default_factory=dict, init=False
    )
    """What is being read, by collection and version."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    """Rules are prepared one after the other: the largest take half a second of a processor."""

    async def of(self, search: Search, version: str | None) -> RulesMembers | None:
        """The rules of this version or a later one for a search; None if there are none.

        If the version is not known, the rules that were read last apply. A search that does not
        wait until they are read leaves them to the next one. Raises Unavailable if they must be
        read and cannot be, or were never read.
        """
        if not search.query:
            return None
        book = self._books.get(search.collection)
        if book is not None and version in (None, book.version):
            self._books.move_to_end(search.collection)
        elif version is None:
            raise Unavailable("The query rules of the collection cannot be read.")
        else:
            book = await asyncio.shield(self._read(search.collection, version))
        return book.of(search.query, search.wording.phrases if search.wording else ())

    async def aclose(self) -> None:
        """Ends what is being read."""
        await ended(self._reading.values())

    def _read(self, collection: str, version: str) -> "asyncio.Task[Rulebook]":
        """Reads the rules in a task that the searches of this version share."""
        key = collection, version
        if (reading := self._reading.get(key)) is None:
            reading = self._reading[key] = asyncio.create_task(self._made(collection, version))

            def done(task: "asyncio.Task[Rulebook]") -> None:
                del self._reading[key]
                if not task.cancelled():
                    task.exception()  # Everybody who waited may have left.

            reading.add_done_callback(done)
        return reading

    async def _made(self, collection: str, version: str) -> Rulebook:
        async with self._turn:
            packed = await self._stored(collection, version)
            try:
                book = await asyncio.to_thread(Rulebook, orjson.loads(packed), version)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                logger.warning(
                    "query rules are damaged; set them again",
                    extra={"collection": collection, "reason": str(error)},
                )
                raise Unavailable("The query rules of the collection cannot be read.") from error
            self._keep(collection, book)
            return book

    def _keep(self, collection: str, book: Rulebook) -> None:
        """Keeps a book in place of the one before; the books used least lately make room."""
        if (before := self._books.pop(collection, None)) is not None:
            self._words -= before.size
        self._books[collection] = book
        self._words += book.size
        while self._words > _MOST_WORDS and len(self._books) > 1:
            _, dropped = self._books.popitem(last=False)
            self._words -= dropped.size

    async def _stored(self, collection: str, version: str) -> bytes:
        """The rules as JSON; no JSON where there have to be some that cannot be read."""
        if version:
            return await self.reader.get(rules_key(collection)) or b""
        lost = await self.reader.state.has_another_type(rules_version_key(collection))
        return b"" if lost else b"{}"


def _whole(query: str) -> str:
    """The form in which whole queries are compared: 量子 计算 is 量子计算."""
    return compared(query).replace(" ", "")


def _replacements(synonyms: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The words that may replace each word."""
    by: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for group in synonyms:
        words = list(map(compared, group["words"]))
        also = group.get("also")
        others = words if also is None else list(map(compared, also))
        for word in words:
            by[word] |= dict.fromkeys(other for other in others if other != word)
    return {word: list(others) for word, others in by.items() if word and others}
