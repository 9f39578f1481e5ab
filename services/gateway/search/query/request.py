"""Turns a request into the search that it means; equal searches become equal objects."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from services.common.documents import OWN
from services.common.errors import InvalidRequest
from services.common.filters import compile_filter
from services.common.text.analyzer import compared, phrase_pattern
from services.common.text.identifiers import bare_doi
from services.common.text.normalise import normalise as normal_form
from services.common.wire.arrange import MAX_LISTED
from services.common.wire.boosts import MAX_BOOSTS, Boost
from services.common.wire.recall import MAX_PHRASE_CHARS, MAX_PHRASES, MAX_QUERY_CHARS, Mode
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.search.query.search import Arrangement, Search, Wording
from services.gateway.search.query.syntax import ParsedQuery, understood


def normalise(query: str) -> str:
    """The query in the form in which it is cached, searched and answered: NFKC, with single spaces,
    and a DOI without its label, which no document has.

    It stays without NFKC where that would change what is searched for (10³ would become 103, and
    ＜b＞ a tag) or make it longer than a query may be. The models and the index bring it into the
    full normal form themselves, so that users see their query in their own characters. Raises
    InvalidRequest if no character is left.
    """
    spaced = bare_doi(" ".join(query.split()))
    _check_visible("query", spaced)
    folded = " ".join(unicodedata.normalize("NFKC", spaced).split())
    if folded == spaced or len(folded) > MAX_QUERY_CHARS:
        return spaced
    return folded if normal_form(folded) == normal_form(spaced) else spaced


def _check_visible(name: str, *texts: str) -> None:
    """Raises InvalidRequest for a text that is empty in normal form: invisible characters and
    markup are not searched for."""
    if not all(map(normal_form, texts)):
        raise InvalidRequest(
            f"{name}: there is no character to search for; write at least one that can be seen."
        )


def _check_bounds(name: str, phrases: Collection[str]) -> None:
    """Raises InvalidRequest for more or longer phrases than a search may have."""
    if len(set(phrases)) > MAX_PHRASES:
        raise InvalidRequest(
            f"{name}: at most {MAX_PHRASES} are possible, those of `query` too; leave some out."
        )
    if longer := next((one for one in phrases if len(one) > MAX_PHRASE_CHARS), None):
        raise InvalidRequest(
            f"{name}: `{longer[:20]}…` has {len(longer)} characters, at most {MAX_PHRASE_CHARS} are"
            " possible; search for a part of it, or for its words without quotation marks."
        )


def search_of(
    query: str | None, options: SearchOptions, fields: Collection[str] | None = None
) -> Search:
    """The search that a request means; without a query it lists what the filter selects.

    `fields` are those of the collection, which operators name; None while they are not known.
    Raises InvalidRequest or InvalidFilter.
    """
    meant = _meant(query, options, fields)
    condition = _all_of([options.filter, *meant.conditions])
    compile_filter(condition)
    wording = None
    boosts = _boosts(meant.boosts)
    if options.syntax == "fields" or meant.phrases or meant.exclude:
        wording = Wording(sorted(set(meant.phrases)), sorted(set(meant.exclude)))
    arrangement = _arrangement(options)
    if not meant.query:
        if boosts:
            raise InvalidRequest(
                "boosts: without a query documents have no score to raise; put them in order with"
                " `sort`, or give a query."
            )
        return _listing(options, condition, wording, arrangement)
    by_fields = arrangement is not None and bool(arrangement.sort)
    return Search(
        query=normalise(meant.query),
        collection=options.collection,
        top_k=options.top_k,
        recall_k=options.recall_k,
        mode=options.mode,
        filter=condition,
        rank=options.rank and not (by_fields and options.min_score is None),
        diversity=options.diversity,
        explain=options.explain,
        fields=_names(options),
        arrangement=arrangement,
        wording=wording,
        boosts=boosts,
        partition=options.partition,
    )


def _meant(
    query: str | None, options: SearchOptions, fields: Collection[str] | None
) -> ParsedQuery:
    """The query with the phrases and boosts that were given beside it."""
    read = ParsedQuery(query or "")
    if query is not None and options.syntax == "fields":
        read = understood(query, fields)
    phrases = [*read.phrases, *map(str.strip, options.phrases or [])]
    exclude = [*read.exclude, *map(str.strip, options.exclude or [])]
    for name, given in (("phrases", phrases), ("exclude", exclude)):
        _check_visible(name, *given)
        _check_bounds(name, given)
    words = _with_phrases(read.query, options.phrases or [])
    if exclude and not words:
        raise InvalidRequest("exclude: say in `query` what to search for beside what to leave out.")
    boosts = [*read.boosts, *(options.boosts or [])]
    return ParsedQuery(words, read.conditions, phrases, exclude, boosts)


def _with_phrases(words: str, phrases: Iterable[str]) -> str:
    """The words to search for with those of the phrases beside them, since documents without a
    phrase are dropped after they were found. Phrases that the words hold are there already, and
    those that the longest query has no room for are left to the dropping."""
    for phrase in phrases:
        if not phrase_pattern(compared(phrase)).search(compared(words)):
            longer = f"{words} {phrase}".strip()
            words = longer if len(longer) <= MAX_QUERY_CHARS else words or phrase[:MAX_QUERY_CHARS]
    return words


def _all_of(conditions: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """The filter that holds if all of these hold; None if there is none."""
    given = [dict(condition) for condition in conditions if condition]
    if len(given) > 1:
        return {"and": given}
    return given[0] if given else None


def _listing(
    options: SearchOptions,
    condition: Mapping[str, Any] | None,
    wording: Wording | None,
    arrangement: Arrangement | None,
) -> Search:
    """A search without a query. Options that need a query get their defaults, so that equal lists
    are equal searches."""
    nothing = not condition and options.partition is None
    if nothing and (arrangement is None or arrangement == Arrangement()):
        raise InvalidRequest(
            "query: say what to search for; to list documents without a query give a `filter`, a"
            " `partition`, `facets`, `sort`, `group_by` or `cursor`."
        )
    if options.min_score is not None:
        raise InvalidRequest("min_score: without a query documents have no score.")
    return Search(
        query="",
        collection=options.collection,
        top_k=options.top_k,
        recall_k=MAX_LISTED,
        mode=Mode.HYBRID,
        filter=condition,
        rank=False,
        diversity=0.0,
        explain=False,
        fields=_names(options),
        arrangement=arrangement or Arrangement(),
        wording=wording,
        partition=options.partition,
    )


def _boosts(given: Sequence[Boost]) -> list[dict[str, Any]]:
    """The boosts in an order that depends on them alone, since their order changes nothing."""
    if len(given) > MAX_BOOSTS:
        raise InvalidRequest(f"boosts: at most {MAX_BOOSTS} are possible, those of `query` too.")
    boosts = [boost.members() for boost in given]
    return sorted(boosts, key=lambda one: orjson.dumps(one, option=orjson.OPT_SORT_KEYS))


def _names(options: SearchOptions) -> list[str] | None:
    return None if options.fields is None else sorted(set(options.fields))


def _arrangement(options: SearchOptions) -> Arrangement | None:
    sort = list(map(_sort_key, options.sort or []))
    arrangement = Arrangement(
        facets=tuple(facet.model_dump() for facet in options.facets or []),
        sort=tuple(sort) if any(key != _BY_RELEVANCE for key in sort) else (),
        group_by=options.group_by,
        min_score=options.min_score,
        cursor=options.cursor,
    )
    return None if arrangement == Arrangement() else arrangement


_BY_RELEVANCE = {"field": "relevance", "descending": False}


def _sort_key(written: str) -> dict[str, Any]:
    name = written.removeprefix("-")
    if name in OWN:
        raise InvalidRequest(
            f"sort: documents have no order by their {name}; sort by a field, such as `-year` for"
            " the newest first, or by `relevance`."
        )
    return {"field": name, "descending": name != written}
