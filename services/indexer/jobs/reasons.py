"""Counts the reasons for which lines were rejected by kind, so that a column of wrong values gives
one sentence and not a thousand."""

import re
from collections.abc import Iterable, Sequence

from services.common.wire.input_formats import InputFormat
from services.indexer.jobs.manifest import Rejection, RejectionKind

_MOST_KINDS = 100
"""Most kinds that are counted; a reason of a further kind is found among the rejected lines only.
"""
_MOST_SHOWN = 5
"""Most kinds that a summary lists."""
_PARTICULAR = re.compile(r"'[^']*'|\d[\d,.]*")
"""The parts in which reasons of one kind differ: quoted values and numbers."""


class RejectionKinds:
    """Counts rejections by the kind of their reason, in little memory."""

    def __init__(self, counted: Iterable[RejectionKind] = ()) -> None:
        self._kinds = {_key(kind.reason): kind for kind in counted}

    def add(self, rejection: Rejection) -> None:
        """Counts a rejected line by the kind of its reason."""
        key = _key(rejection.reason)
        kind = self._kinds.get(key)
        if kind is not None:
            self._kinds[key] = kind.model_copy(update={"lines": kind.lines + 1})
        elif len(self._kinds) < _MOST_KINDS:
            self._kinds[key] = RejectionKind(
                reason=rejection.reason, lines=1, first=rejection.line, file=rejection.file
            )

    def counted(self) -> list[RejectionKind]:
        """The kinds, the most frequent first."""
        return sorted(self._kinds.values(), key=lambda kind: (-kind.lines, kind.first))


def unit(kind: InputFormat) -> str:
    """The name of the records of an input, in the plural."""
    if kind is InputFormat.ZIP:
        return "files and lines"
    return "files" if kind.whole else "lines"


def summary(kinds: Sequence[RejectionKind]) -> str:
    """The most frequent kinds in sentences; empty if there are none."""
    sentences = [_sentence(kind) for kind in kinds[:_MOST_SHOWN]]
    if len(kinds) > _MOST_SHOWN:
        more = len(kinds) - _MOST_SHOWN
        sentences.append(f"And {more} more {'kinds' if more > 1 else 'kind'} of reasons.")
    return " ".join(sentences)


def too_many(most: int, what: str, outcome: str, kinds: Sequence[RejectionKind]) -> str:
    """The message of a job that rejected more than `most` lines, which are called `what`."""
    return (
        f"More than {most:,} {what} were rejected, so {outcome}. {summary(kinds)} See the job's"
        " errors."
    )


def _sentence(kind: RejectionKind) -> str:
    place = f"in {kind.file or 'the input'}"
    if kind.first:
        place = f"on line {kind.first:,}" + (f" of {kind.file}" if kind.file else "")
    often = f"{kind.lines:,} times, first {place}" if kind.lines > 1 else f"Once, {place}"
    return f"{often}: {kind.reason.rstrip('.')}."


def _key(reason: str) -> str:
    return _PARTICULAR.sub("0", reason)
