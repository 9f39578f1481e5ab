"""Rows in the order of their keys, read in pages."""

from operator import itemgetter
from typing import Any, Protocol

from services.common.collection import Field, id_literal

MOST_ROWS = 16_384
"""Most rows that one query of Milvus gives."""

_IN_ORDER = {"reduce_stop_for_best": True}
"""The option of a query whose rows are the first ones in the order of keys; without it Milvus gives
any of those that match."""
_KEY = itemgetter(Field.ID.value)


class Query(Protocol):
    """A query of one collection and of certain columns."""

    async def __call__(self, expression: str, **options: Any) -> list[dict[str, Any]]:
        """The rows that match an expression; the options are those of the client."""


async def rows_behind(
    query: Query, behind: str, most: int, expression: str = "", *, embedded: bool
) -> list[dict[str, Any]]:
    """The first `most` rows behind a key that match an expression; fewer only if there are no more.

    Asked for rows in order, a Milvus server may give fewer than there are, and 2.3 does: where rows
    lie in several segments it stops at the end of the first one that has no more. So a server is
    asked again until no row is left; the answers of the `embedded` engine are always whole.
    """
    rows: list[dict[str, Any]] = []
    while len(rows) < most:
        following = f"{Field.ID} > {id_literal(behind)}"
        limit = min(MOST_ROWS, most - len(rows))
        selected = f"{following} and {expression}" if expression else following
        found = await query(selected, limit=limit, **_IN_ORDER)
        rows += sorted(found, key=_KEY)
        if not found or (embedded and len(found) < limit):
            break
        behind = str(rows[-1][Field.ID])
    return rows[:most]
