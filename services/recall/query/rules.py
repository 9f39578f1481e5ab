"""Applies the query rules to one query: its wordings, its stop words, its pins.

The lexical leg looks up every wording that synonyms allow, as if it had been typed, and a document
gets the score of the wording that fits it best. If synonyms were added to a single query instead,
they would outweigh its other words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

from services.common.collection import Field, id_literal
from services.common.text import WordAnalyzer
from services.common.text.analyzer import compared
from services.common.text.spellings import held_share, with_spellings
from services.common.wire.recall import RulesOfQuery
from services.recall.domain import Found
from services.recall.legs.fusion import Fused

MOST_WAYS = 16
"""Most wordings of a query that are looked up; those with the fewest replacements come first."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A wording of the query."""

    text: str
    words: Sequence[str]
    """Words that are looked up in the index for it."""


def sayings(query: str, rules: RulesOfQuery, analyzer: WordAnalyzer) -> list[Saying]:
    """The query itself, then its wordings with synonyms in place of its words."""
    stops = [words for stop in rules.stop_words if (words := analyzer.words(stop))]
    said = [query]
    if rules.synonyms:
        said += islice(_replaced(query, rules, analyzer), MOST_WAYS - 1)
    made = [Saying(text, _without(analyzer.query_words(text), stops)) for text in said]
    different: dict[tuple[str, ...], Saying] = {}
    for one in made:
        different.setdefault(tuple(sorted(one.words)), one)
    return list(different.values())


def marked_terms(said: Sequence[Saying], rules: RulesOfQuery, analyzer: WordAnalyzer) -> list[str]:
    """The words of a query and its synonyms that are marked in the texts of hits: those that were
    looked up."""
    terms = dict.fromkeys(term for one in said for term in analyzer.terms(one.text))
    looked_up = {word for one in said for word in one.words}
    stops = {word for stop in rules.stop_words for word in analyzer.terms(stop)}
    return [one for one in terms if one in looked_up or one not in stops] or list(terms)


def fitting(said: Sequence[Saying], found: Found) -> str:
    """The wording of the query that a document holds most of; of equal ones the first."""
    if len(said) == 1:
        return said[0].text
    words = {word for one in said for word in one.words}
    content = "\n".join(
        with_spellings(part, compared(part), words) for part in (found.title, found.text)
    )
    return max(said, key=lambda one: held_share(one.words, content)).text


def unhidden(expression: str, hidden: Sequence[str]) -> str:
    """The filter expression, extended so that hidden documents do not match it."""
    others = " and ".join(f"{Field.ID} != {id_literal(one)}" for one in hidden)
    if not others:
        return expression
    return f"({expression}) and {others}" if expression else others


def pins_first(fused: Sequence[Fused], pins: Sequence[Found]) -> list[Fused]:
    """The documents with the pinned ones first.

    A pinned document that no leg found has the score 0, which is left out of the scale of the
    others.
    """
    if not pins:
        return list(fused)
    found = {one.document.id: one for one in fused}
    first = [found.get(pin.id) or Fused(pin, None, None, 0.0) for pin in pins]
    ids = {pin.id for pin in pins}
    return [*first, *(one for one in fused if one.document.id not in ids)]


def _without(words: Sequence[str], stops: Sequence[Sequence[str]]) -> list[str]:
    """The words without the stop words; all of them if no other word is left."""
    left = list(words)
    for stop in stops:
        at = 0
        while at < len(left):
            if left[at : at + len(stop)] == stop:
                del left[at : at + len(stop)]
            else:
                at += 1
    return left or list(words)


def _replaced(query: str, rules: RulesOfQuery, analyzer: WordAnalyzer) -> Iterator[str]:
    """Yields the query with one, two and more of its words replaced."""
    folded = analyzer.fold(query)
    places = _places(folded, rules, analyzer.cuts(folded))
    words = list(places)
    by = {one.word: one.by for one in rules.synonyms}
    for number in range(1, len(words) + 1):
        for chosen in combinations(words, number):
            for others in product(*(by[word] for word in chosen)):
                yield _with(folded, places, dict(zip(chosen, others, strict=True)))


def _places(
    folded: str, rules: RulesOfQuery, cuts: set[int]
) -> Mapping[str, list[tuple[int, int]]]:
    """The places of words that have synonyms, the longest first and none inside another one.

    A word is recognised only where the dictionary cuts: 国文 is not in 中国文学.
    """
    taken: list[tuple[int, int]] = []
    places: dict[str, list[tuple[int, int]]] = {}
    for word in sorted((one.word for one in rules.synonyms), key=len, reverse=True):
        for match in re.finditer(re.escape(word), folded):
            start, end = match.span()
            free = all(end <= first or last <= start for first, last in taken)
            if free and start in cuts and end in cuts:
                taken.append((start, end))
                places.setdefault(word, []).append((start, end))
    return places


def _with(
    folded: str, places: Mapping[str, Sequence[tuple[int, int]]], chosen: Mapping[str, str]
) -> str:
    spans = sorted((start, end, word) for word in chosen for start, end in places[word])
    pieces: list[str] = []
    at = 0
    for start, end, word in spans:
        pieces += (folded[at:start], chosen[word])
        at = end
    return " ".join(part for part in (*pieces, folded[at:]) if part)
