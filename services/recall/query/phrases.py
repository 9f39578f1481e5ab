"""Selects the documents that hold the phrases of a query and none of its excluded words.

Phrases are compared in the folded normal form, as words are: 微積分 holds 微积分.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.common.errors import DeadlineExceeded
from services.common.request_context import Deadline
from services.common.text.analyzer import compared, phrase_pattern
from services.recall.domain import DocumentIndex, Index, Wanted
from services.recall.legs.fusion import Fused, numbers_of

BLOCK = 100
"""Number of documents whose titles and texts are read and compared at once."""


class Phrases:
    """The phrases that documents must hold, and those that they must not."""

    def __init__(self, wanted: Wanted) -> None:
        self._held = _patterns(wanted.phrases)
        self._left_out = _patterns(wanted.exclude)

    def of_parts(self, *texts: str) -> bool | None:
        """Whether a document is accepted that has these texts, whatever others it has; None if that
        depends on the others."""
        folded = _folded(texts)
        if any(pattern.search(folded) for pattern in self._left_out):
            return False
        if not self._left_out and all(pattern.search(folded) for pattern in self._held):
            return True
        return None

    def accept(self, *texts: str) -> bool:
        """Whether a document of these texts holds all the phrases that it must and none that it
        must not."""
        folded = _folded(texts)
        held = all(pattern.search(folded) for pattern in self._held)
        return held and not any(pattern.search(folded) for pattern in self._left_out)


async def holding(
    source: DocumentIndex, index: Index, fused: Sequence[Fused], wanted: Wanted, deadline: Deadline
) -> list[Fused]:
    """The documents that hold the wanted phrases, in their order.

    Raises IndexUnavailable, DeadlineExceeded.
    """
    phrases = Phrases(wanted)
    kept: list[Fused] = []
    for start in range(0, len(fused), BLOCK):
        if start and deadline.expired:
            raise DeadlineExceeded(
                "The candidates were not compared with the phrases within the budget."
            )
        kept += await _of_block(source, index, fused[start : start + BLOCK], phrases, deadline)
    return kept


async def _of_block(
    source: DocumentIndex,
    index: Index,
    fused: Sequence[Fused],
    phrases: Phrases,
    deadline: Deadline,
) -> list[Fused]:
    """Those of a block of documents that are accepted, in their order."""
    keys = [(one.document.id, one.document.version) for one in fused]
    stored = await source.documents(index.physical, keys, index.server_time, deadline)
    texts = {document.id: (document.title, document.text) for document in stored}
    accepted = await _decided(phrases.of_parts, texts)
    # The passages that were found decide about most of the long documents that hold a phrase.
    numbers = {one: found for one, found in numbers_of(fused).items() if found}
    asked = {one: numbers[one] for one in _undecided(accepted) if one in numbers}
    shown = await source.passages(index, asked, deadline) if asked else {}
    parts = {
        one: (*texts[one], *(passage.text for passage in found.passages))
        for one, found in shown.items()
    }
    accepted |= await _decided(phrases.of_parts, parts)
    async for bodies in source.bodies(index, _undecided(accepted), deadline):
        whole = {one: (*texts[one], body) for one, body in bodies.items()}
        accepted |= await _decided(phrases.accept, whole)
    rest = {one: texts[one] for one in _undecided(accepted)}
    accepted |= await _decided(phrases.accept, rest)
    return [one for one in fused if accepted.get(one.document.id)]


def _undecided(accepted: Mapping[str, bool | None]) -> list[str]:
    return [identity for identity, decided in accepted.items() if decided is None]


async def _decided(
    decide: Callable[..., bool | None], texts: Mapping[str, Sequence[str]]
) -> dict[str, bool | None]:
    """Whether documents are accepted, by id, given their texts.

    It is found out in a thread, since a hundred long texts take half a second, a body of 5 MB
    nearly as much.
    """
    if not texts:
        return {}
    return await asyncio.to_thread(
        lambda: {identity: decide(*members) for identity, members in texts.items()}
    )


def _folded(texts: Iterable[str]) -> str:
    """Texts as phrases are looked for in them; none reaches from one into the next."""
    return "\n".join(map(compared, texts))


def _patterns(phrases: Iterable[str]) -> list[re.Pattern[str]]:
    """The patterns of phrases; one of invisible characters or markup, which every text would hold,
    has none."""
    return [phrase_pattern(folded) for folded in map(compared, phrases) if folded]
