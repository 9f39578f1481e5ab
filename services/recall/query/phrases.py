"""Selects the documents that hold the phrases of a query and none of its excluded words.

Phrases are compared in the folded normal form, as words are: 微積分 holds 微积分.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.common.errors import DeadlineExceeded
from services.common.request_context import Deadline
from services.common.text.analyzer import compared, phrase_pattern
from services.common.wire.rank import MAX_TEXT_CHARS
from services.recall.domain import DocumentIndex, Index, Key, Wanted
from services.recall.legs.fusion import Fused

BLOCK = 100
"""Number of documents whose titles and texts are read and compared at once."""


class Phrases:
    """The phrases that documents must hold, and those that they must not."""

    def __init__(self, wanted: Wanted) -> None:
        self._held = _patterns(wanted.phrases)
        self._left_out = _patterns(wanted.exclude)

    def of_beginning(self, title: str, text: str) -> bool | None:
        """Whether a document is accepted, whatever follows this title and text; None if that
        depends on what follows."""
        folded = _folded(title, text)
        if any(pattern.search(folded) for pattern in self._left_out):
            return False
        if not self._left_out and all(pattern.search(folded) for pattern in self._held):
            return True
        return None

    def accept(self, title: str, text: str) -> bool:
        """Whether the whole document holds all the phrases that it must and none that it must
        not."""
        folded = _folded(title, text)
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
    found = await source.with_texts(index, [one.document for one in fused], deadline)
    long = [(one.id, one.version) for one in found if len(one.text) >= MAX_TEXT_CHARS]
    texts = {one.id: (one.title, one.text) for one in found}
    texts |= await _whole(source, index, long, deadline)
    read = {identity: members for identity, members in texts.items() if any(members)}
    accepted = dict.fromkeys(texts) | await _decided(phrases.of_beginning, read)
    undecided = [identity for identity, decided in accepted.items() if decided is None]
    async for bodies in source.bodies(index, undecided, deadline):
        whole = {one: (texts[one][0], f"{texts[one][1]}\n{body}") for one, body in bodies.items()}
        accepted |= await _decided(phrases.accept, whole)
    rest = {one: read[one] for one in undecided if accepted[one] is None and one in read}
    accepted |= await _decided(phrases.accept, rest)
    return [
        one._replace(document=document)
        for one, document in zip(fused, found, strict=True)
        if accepted[document.id]
    ]


async def _decided(
    decide: Callable[[str, str], bool | None], texts: Mapping[str, tuple[str, str]]
) -> dict[str, bool | None]:
    """Whether documents are accepted, by id, given their titles and texts.

    It is found out in a thread, since a hundred long texts take half a second, a body of 5 MB
    nearly as much.
    """
    return await asyncio.to_thread(
        lambda: {identity: decide(*members) for identity, members in texts.items()}
    )


async def _whole(
    source: DocumentIndex, index: Index, keys: Sequence[Key], deadline: Deadline
) -> Mapping[str, tuple[str, str]]:
    """Title and whole text of documents, by id."""
    if not keys:
        return {}
    stored = await source.documents(index.physical, keys, index.server_time, deadline)
    return {document.id: (document.title, document.text) for document in stored}


def _folded(title: str, text: str) -> str:
    return compared(title) + "\n" + compared(text)


def _patterns(phrases: Iterable[str]) -> list[re.Pattern[str]]:
    """The patterns of phrases; one of invisible characters or markup, which every text would hold,
    has none."""
    return [phrase_pattern(folded) for folded in map(compared, phrases) if folded]
