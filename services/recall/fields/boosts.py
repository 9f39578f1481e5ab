"""Applies boosts to what was found: fields of documents raise or lower their scores.

A boost adds log-odds, so that it multiplies the odds of relevance by its factor. Rank adds them to
the log-odds of its phases. Here they move the fused score by as much as the fitted coarse phase
would move it: `span` log-odds lie between the last and the first of the candidates that rank
considers.
"""

import calendar
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidRequest, SearchError
from services.common.fields.values import Scalar
from services.common.request_context import Deadline
from services.common.stopwatch import Stopwatch
from services.common.wire.boosts import Boost
from services.common.wire.rank import SCALED_BY
from services.recall.domain import Index
from services.recall.fields.columns import NUMBER, Columns, FieldColumn, Rows, kind_of
from services.recall.legs.fusion import Fused

logger = logging.getLogger(__name__)

LogOdds = npt.NDArray[np.float64]

_DATE = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2}))?)?(?!\d)")
_FIRST_YEAR, _LAST_YEAR = 1000, 9999


class ColumnSource(Protocol):
    """Reads the metadata of documents into columns."""

    async def columns(
        self,
        index: Index,
        keys: Sequence[tuple[str, int]],
        names: Sequence[str],
        deadline: Deadline,
    ) -> tuple[Columns, Rows]:
        """Columns with these fields, and the row of each document in them; -1 if it is not there.

        Raises InvalidRequest for a name that no document has as a field, IndexUnavailable and
        DeadlineExceeded.
        """


@dataclass(frozen=True, slots=True)
class Boosted:
    """Documents in their order after boosts."""

    fused: list[Fused]
    """With scores that have the boosts in them."""
    concerned: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Log-odds that boosts add to a document, and its score without them, by id."""
    complete: bool = True
    """Whether the fields could be read; if not, no boost took effect."""

    def candidates(self, fused: Sequence[Fused], best: int) -> list[Fused]:
        """The documents among `fused` that rank considers, in their order.

        They are the best with boosts and the best without them: the latter give the scale of the
        features, so that a boost changes no score of a document that it does not concern.
        """
        if not self.concerned:
            return list(fused[:best])

        def without(one: Fused) -> float:
            return self.concerned.get(one.document.id, (0.0, one.score))[1]

        usual = sorted(fused, key=lambda one: (-without(one), one.document.id))[:best]
        chosen = {one.document.id for one in (*fused[:best], *usual)}
        return [one for one in fused if one.document.id in chosen]


@dataclass(frozen=True, slots=True)
class Booster:
    """Applies the boosts of searches."""

    source: ColumnSource | None = None
    """Metadata of documents; without it boosts have no effect."""
    span: float = 1.0
    """Log-odds between the worst and the best candidate in the coarse phase of ranking."""

    async def boosted(
        self,
        index: Index,
        fused: list[Fused],
        boosts: Sequence[Boost],
        deadline: Deadline,
        watch: Stopwatch,
    ) -> Boosted:
        """The documents, given best first, in their order after boosts.

        Raises InvalidRequest for a field that no document has.
        """
        if not boosts or not fused or self.source is None:
            return Boosted(fused)
        keys = [(one.document.id, one.document.version) for one in fused]
        names = [one.field for one in boosts]
        with watch.stage("boosts") as lap:
            lap.candidates = len(fused)
            try:
                columns, known = await self.source.columns(index, keys, names, deadline)
            except InvalidRequest:
                raise
            except SearchError as error:
                logger.warning("the fields of boosts could not be read", extra={"code": error.code})
                return Boosted(fused, complete=False)
            there = np.flatnonzero(known >= 0)
            odds = np.zeros(len(fused))
            odds[there] = log_odds(columns, known[there], boosts, datetime.now(UTC).date())
            return moved(fused, odds, self.span)


def moved(fused: Sequence[Fused], odds: LogOdds, span: float) -> Boosted:
    """The documents, given best first, in their order after these log-odds were added."""
    if not odds.any():
        return Boosted(list(fused))
    share = ((fused[0].score - fused[:SCALED_BY][-1].score) or 1.0) / span
    concerned = {
        one.document.id: (added, one.score)
        for one, added in zip(fused, odds.tolist(), strict=True)
        if added
    }
    raised = [
        Fused(one.document, one.dense, one.lexical, one.score + added * share) if added else one
        for one, added in zip(fused, odds.tolist(), strict=True)
    ]
    return Boosted(sorted(raised, key=lambda one: (-one.score, one.document.id)), concerned)


def log_odds(columns: Columns, rows: Rows, boosts: Iterable[Boost], today: date) -> LogOdds:
    """Log-odds [rows] that boosts add to documents; 0 for a document without the fields.

    Of several values in a list, the one with the strongest effect counts.
    """
    total = np.zeros(len(rows))
    for boost in boosts:
        column = columns.fields.get(boost.field)
        if column is not None:
            total += _of_one(column, rows, boost, today)
    return total


def _of_one(column: FieldColumn, rows: Rows, boost: Boost, today: date) -> LogOdds:
    places, codes = column.pairs(rows)
    different, inverse = np.unique(codes, return_inverse=True)
    values = [column.values[code] for code in different.tolist()]
    effects = np.array(_effects(values, boost, today), dtype=float)[inverse.ravel()]
    order = np.argsort(np.abs(effects), kind="stable")
    added = np.zeros(len(rows))
    added[places[order]] = effects[order]  # The strongest effect is written last.
    return added


def _effects(values: Sequence[Scalar], boost: Boost, today: date) -> list[float]:
    """The log-odds that each value adds."""
    if boost.values is not None:
        by_text = {text: math.log(factor) for text, factor in boost.values.items()}
        return [by_text.get(_written(value), 0.0) for value in values]
    if (half_life := boost.half_life_days) is not None:
        days = [date_of(value) for value in values]
        return [
            0.0 if day is None else boost.log_odds * 0.5 ** (max((today - day).days, 0) / half_life)
            for day in days
        ]
    halfway = boost.halfway or 1.0
    return [
        boost.log_odds / (1 + halfway / float(value))  # No value is too large for this form.
        if kind_of(value) == NUMBER and float(value) > 0
        else 0.0
        for value in values
    ]


def _written(value: Scalar) -> str:
    """A value as a boost names it: whole numbers without a point, true and false as in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def date_of(value: Scalar) -> date | None:
    """The day of a year, or of a text that begins with a date; None if it is neither.

    A year or a month stands for its last day.
    """
    if kind_of(value) == NUMBER:
        whole = _FIRST_YEAR <= float(value) <= _LAST_YEAR and float(value).is_integer()
        return date(int(value), 12, 31) if whole else None
    match = _DATE.match(str(value))
    if match is None:
        return None
    year, month, day = int(match[1]), int(match[2] or 12), int(match[3] or 0)
    try:
        return date(year, month, day or calendar.monthrange(year, month)[1])
    except ValueError:
        return None
