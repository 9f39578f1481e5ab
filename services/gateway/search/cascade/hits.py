"""Candidates of recall, and how the best of them become hits with fields and highlights."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from services.common.documents import SHOWN
from services.common.wire.rank import RankedHit
from services.gateway.search.cascade.highlights import Marker, share
from services.gateway.search.query.search import Search

_LONG_CHARS = 10_000
"""Characters of all hits, their titles and passages included, from which on these are made in a
thread: about 20 ms of work."""

CandidateMembers = Mapping[str, Any]
"""A wire Candidate as a plain mapping: a thousand of them are passed on to rank."""
DocumentMembers = Mapping[str, Any]
"""A Content as a plain mapping."""
ShownMembers = Mapping[str, Any]
"""A wire ShownPassages as a plain mapping."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Stored documents of which hits are made."""

    documents: Sequence[DocumentMembers]
    shown: Mapping[str, ShownMembers] = field(default_factory=dict)
    """Passages of the long ones among the documents, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAnswer:
    """The answer of recall to a search."""

    index: str
    """Physical collection that answered."""
    candidates: Sequence[CandidateMembers] = ()
    """Best first, as many as take part in what follows."""
    terms: Sequence[str] = ()
    """The query's words in normal form, which highlights mark."""
    stages: Sequence[Mapping[str, Any]] = ()
    degraded: Sequence[str] = ()
    """Legs that did not answer, dense or lexical, and `texts` when rank has nothing to read."""
    found: int = 0
    """Number of documents that were found, including those that do not take part."""
    documents: Sequence[DocumentMembers] | None = None
    """The whole documents of the candidates, if these are the hits; deleted ones are left out."""
    pinned: Sequence[str] = ()
    """Ids of the candidates that the owner put first, in their order."""
    passages: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Numbers of the passages that were found of each long document, best first."""
    shown: Mapping[str, ShownMembers] = field(default_factory=dict)
    """Passages of the long ones among `documents`, by id."""
    every: Sequence[tuple[str, int, float, float | None, float | None]] = ()
    """Id, version, score, dense and lexical of all found documents, best first; empty unless others
    than the best may become hits."""
    boosted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Log-odds that boosts add to documents, and their scores without them, by id."""
    replaceable: bool = False
    """Whether another index than `index` may answer by now, whose documents are to be read then: an
    index that was replaced stays for a rollback, without the writes that came later."""
    counted: Mapping[str, Any] | None = None
    """A wire FacetCounts over all found documents; None if it was not asked for or could not be
    made, or if another order follows."""

    def versions(self, ids: Sequence[str]) -> dict[str, int]:
        """The versions of rows, by id, at which these documents were found."""
        wanted = {*ids}
        found = {one["id"]: one["version"] for one in self.candidates if one["id"] in wanted}
        return found | {one[0]: one[1] for one in self.every if one[0] in wanted}


def in_order_of_recall(recalled: RecallAnswer, top_k: int) -> list[RankedHit]:
    """The best hits in the order of recall, of a search that is not ranked."""
    return [
        RankedHit.model_construct(
            id=candidate["id"],
            score=candidate["score"],
            scores=_scores(candidate, recalled.boosted.get(candidate["id"])),
        )
        for candidate in recalled.candidates[:top_k]
    ]


def all_in_order_of_recall(recalled: RecallAnswer) -> list[RankedHit]:
    """All that was found, of a search whose hits may be others than the best."""
    return [
        RankedHit.model_construct(
            id=identity,
            score=score,
            scores=_scores(
                {"dense": dense, "lexical": lexical, "score": score},
                recalled.boosted.get(identity),
            ),
        )
        for identity, _, score, dense, lexical in recalled.every
    ]


def pinned_first(ranked: Sequence[RankedHit], pinned: Sequence[str], top_k: int) -> list[RankedHit]:
    """The best hits with the pinned ones before the others; one that rank left out has the score
    0."""
    by_id = {hit.id: hit for hit in ranked}
    first = [
        by_id.get(one) or RankedHit.model_construct(id=one, score=0.0, scores={}) for one in pinned
    ]
    return [*first, *(hit for hit in ranked if hit.id not in pinned)][:top_k]


def finished(
    search: Search,
    recalled: RecallAnswer,
    ranked: Sequence[RankedHit],
    fetched: Fetched,
) -> list[dict[str, Any]]:
    """The hits as they are answered: with their texts, fields and highlights.

    The text of a long document is its best passage, where one was found or it has no other. A hit
    whose document was deleted meanwhile is left out.
    """
    by_id = {document["id"]: document for document in fetched.documents}
    marker, most = Marker.of(recalled.terms), share(len(ranked))
    hits = []
    for place in ranked:
        document = by_id.get(place.id)
        if document is None:
            continue
        places: dict[str, Any] = {}
        if (shown := fetched.shown.get(place.id)) is not None:
            found = place.id in recalled.passages or not document["text"].strip()
            best, *others = shown["passages"] if found else (None,)
            places = _places(search.fields, shown["count"], best, others, marker)
            if best is not None:
                document = {**document, "text": best["text"]}
        hit = _members(search.fields, document) | places
        marks = marker.highlight(document["title"], document["text"], most) if marker else {}
        hits.append(
            {
                "id": place.id,
                "score": place.score,
                **hit,
                "scores": place.scores,
                "highlights": marks,
            }
        )
        if place.id in recalled.pinned:
            hits[-1]["pinned"] = True
    return hits


async def finished_beside(
    search: Search,
    recalled: RecallAnswer,
    ranked: Sequence[RankedHit],
    fetched: Fetched,
) -> list[dict[str, Any]]:
    """As `finished`, in a thread if there is much to mark, which takes a while."""
    marked = chain(
        (document[name] for document in fetched.documents for name in SHOWN),
        (one["text"] for shown in fetched.shown.values() for one in shown["passages"]),
    )
    if sum(map(len, marked)) <= _LONG_CHARS:
        return finished(search, recalled, ranked, fetched)
    return await asyncio.to_thread(finished, search, recalled, ranked, fetched)


def neighbours(
    names: Sequence[str] | None, documents: Sequence[DocumentMembers]
) -> list[dict[str, Any]]:
    """Hits, in the form of an answer, of the wire SimilarDocuments nearest to another document."""
    return [
        {
            "id": document["id"],
            "score": document["dense"],
            **_members(names, document),
            "scores": {"dense": document["dense"]},
            "highlights": {},
        }
        for document in documents
    ]


def _places(
    names: Sequence[str] | None,
    count: int,
    best: Mapping[str, Any] | None,
    others: Sequence[Mapping[str, Any]],
    marker: Marker | None,
) -> dict[str, Any]:
    """How many passages the document of a hit has, where its text stands, and what comes next."""
    members: dict[str, Any] = {"passage_count": count}
    if best is not None:
        members["passage"] = {name: value for name, value in best.items() if name != "text"}
    if names is None or "text" in names:
        members["passages"] = [
            {
                **one,
                "highlights": marker.highlight("", one["text"]).get("text", []) if marker else [],
            }
            for one in others
        ]
    return members


def _members(names: Sequence[str] | None, document: DocumentMembers) -> dict[str, Any]:
    """Texts and fields, as far as the request names them; all where it names none."""
    texts = [name for name in SHOWN if names is None or name in names]
    fields = document["fields"]
    if names is not None:
        fields = {name: fields[name] for name in names if name in fields}
    return {name: document[name] for name in texts} | {"fields": fields}


def _scores(candidate: CandidateMembers, boosted: tuple[float, float] | None) -> dict[str, float]:
    """The scores of the legs and of both together, and the factor of boosts if they concern it."""
    scores = {"dense": candidate.get("dense"), "lexical": candidate.get("lexical")}
    given = {name: score for name, score in scores.items() if score is not None}
    if boosted is None:
        return given | {"recall": candidate["score"]}
    return given | {"recall": boosted[1], "boost": round(math.exp(boosted[0]), 6)}
