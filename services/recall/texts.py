"""Gives candidates their titles and texts, as fusion and rank need them."""

import asyncio
from collections.abc import Sequence

from services.common.errors import SearchError
from services.common.request_context import Deadline
from services.recall.domain import DocumentIndex, Found, Index
from services.recall.legs.fusion import Fused
from services.recall.query.naming import Naming
from services.recall.query.rules import Saying, fitting

_MANY_VALUES = 5_000
"""Values of all candidates from which on they are compared with the query in a thread: about 8 ms
of work. Sixty papers of a large collaboration have 180,000 authors."""


async def with_texts(
    source: DocumentIndex,
    index: Index,
    candidates: Sequence[Fused],
    naming: Naming,
    deadline: Deadline,
) -> list[Fused]:
    """The candidates with their titles and texts, and the wordings that they hold most of. Of those
    that the lexical leg found, the values that the query names stand before the texts.

    Raises IndexUnavailable, DeadlineExceeded.
    """
    documents = await source.with_texts(
        index, [candidate.document for candidate in candidates], deadline
    )

    def complete() -> list[Fused]:
        named = [
            candidate._replace(
                document=document if candidate.lexical is None else naming.with_named(document)
            )
            for candidate, document in zip(candidates, documents, strict=True)
        ]
        if len(naming.said) == 1:
            return named
        return [_with_wording(one, naming.said) for one in named]

    # Comparing a candidate with all wordings takes about 0.3 ms.
    if len(naming.said) > 1 or sum(len(one.values) for one in documents) > _MANY_VALUES:
        return await asyncio.to_thread(complete)
    return complete()


def _with_wording(candidate: Fused, said: Sequence[Saying]) -> Fused:
    text = fitting(said, candidate.document)
    return candidate if text == said[0].text else candidate._replace(wording=text)


async def with_best_texts(
    source: DocumentIndex,
    index: Index,
    found: dict[str, Sequence[Found]],
    naming: Naming,
    deadline: Deadline,
) -> dict[str, Sequence[Found]]:
    """The legs, each with the text of its best document, which fusion needs; in the lexical leg
    with the values that the query names.

    If the texts cannot be fetched, the legs are returned as they are.
    """
    try:
        best = await source.with_texts(index, [leg[0] for leg in found.values() if leg], deadline)
    except SearchError:
        return found
    complete = {(one.id, one.score): one for one in best}
    legs = {
        name: [complete[leg[0].id, leg[0].score], *leg[1:]] if leg else leg
        for name, leg in found.items()
    }
    if lexical := legs.get("lexical"):
        legs["lexical"] = [naming.with_named(lexical[0]), *lexical[1:]]
    return legs
