"""Reads from a Milvus server within a deadline."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opentelemetry.trace import SpanKind
from pymilvus import AsyncMilvusClient

from services.common.collection import Field, document_id
from services.common.errors import DeadlineExceeded
from services.common.milvus import MilvusConnection, NoAnswerInTime, NoWords, raw
from services.common.milvus.keyed import KeyedRows
from services.common.milvus.pages import rows_behind
from services.common.request_context import Deadline
from services.common.telemetry.tracing import span

KEY_COLUMNS = (Field.ID, Field.VERSION)
"""The columns that name a row."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Leg:
    """The search of one leg in the rows of a collection and in those of its passages."""

    field: Field
    """Column that is searched."""
    queries: Sequence[object]
    """The vector, or the words of each wording of the query."""
    metric: str
    n: int
    """Most rows to find."""
    expression: str
    parameters: Callable[[str], dict[str, Any]]
    """Gives the parameters of the search for the kind of the column's index."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads from one server. Every method raises IndexUnavailable and DeadlineExceeded."""

    connection: MilvusConnection
    keyed: KeyedRows

    async def search(
        self,
        name: str,
        leg: Leg,
        kind: str,
        columns: Sequence[str],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[raw.Hits]:
        """The hits of each query of a leg in one collection whose vectors have an index of this
        kind.

        Raises Missing, too.
        """
        about = {"db.system.name": "milvus", "db.collection.name": name, "field": str(leg.field)}

        async def search(client: AsyncMilvusClient) -> list[raw.Hits]:
            with span("milvus.search", kind=SpanKind.CLIENT, attributes=about):
                return await raw.search(
                    client,
                    name,
                    leg.queries,
                    leg.field,
                    {"metric_type": leg.metric, "params": leg.parameters(kind)},
                    leg.n,
                    leg.expression,
                    columns,
                    **_state(server_time),
                )

        try:
            return await self.ask("search", search, name, deadline)
        except NoWords:
            return [raw.Hits([], [], {column: [] for column in columns}) for _ in leg.queries]

    async def rows(
        self,
        name: str,
        keys: Sequence[str],
        columns: Sequence[str],
        server_time: int | None,
        deadline: Deadline,
        expression: str = "",
    ) -> list[dict[str, Any]]:
        """The existing rows with these keys that match an expression, in any order."""
        try:
            return await self.keyed.rows(
                name, keys, columns, deadline.remaining(), expression, **_state(server_time)
            )
        except NoAnswerInTime as error:
            raise late() from error

    async def versions(
        self,
        name: str,
        ids: Sequence[str],
        server_time: int | None,
        deadline: Deadline,
        expression: str = "",
    ) -> dict[str, int]:
        """The versions of the existing documents with these ids that match an expression, by id."""
        rows = await self.rows(name, ids, KEY_COLUMNS, server_time, deadline, expression)
        return {document_id(row[Field.ID]): int(row[Field.VERSION]) for row in rows}

    async def query(
        self,
        name: str,
        expression: str,
        columns: Sequence[str],
        server_time: int | None,
        deadline: Deadline,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """The rows that an expression selects."""
        rows = await self.ask(
            "query",
            lambda client: client.query(
                name,
                filter=expression,
                output_fields=list(columns),
                **options,
                **_state(server_time),
            ),
            name,
            deadline,
        )
        if {*KEY_COLUMNS}.issuperset(columns):
            # pymilvus has filled them already; its iterator would check each row for members that
            # are decoded late, which is half of the time of a list of 100,000 documents.
            return list.copy(rows)
        return list(rows)

    async def behind(
        self,
        name: str,
        key: str,
        most: int,
        expression: str,
        columns: Sequence[str],
        server_time: int | None,
        deadline: Deadline,
    ) -> list[dict[str, Any]]:
        """The first rows behind a key, in the order of keys, that match an expression; fewer than
        `most` only if there are no more."""

        async def query(expression: str, **options: Any) -> list[dict[str, Any]]:
            return await self.query(name, expression, columns, server_time, deadline, **options)

        try:
            embedded = (await self.connection.engine(deadline.remaining())).embedded
        except NoAnswerInTime as error:
            raise late() from error
        return await rows_behind(query, key, most, expression, embedded=embedded)

    async def ask(
        self,
        what: str,
        call: Callable[[AsyncMilvusClient], Awaitable[Answer]],
        name: str,
        deadline: Deadline,
    ) -> Answer:
        """The answer of one call about a collection."""
        try:
            return await self.connection.ask(what, call, deadline.remaining(), name)
        except NoAnswerInTime as error:
            raise late() from error


def late() -> DeadlineExceeded:
    """The error for a server that did not answer in time."""
    return DeadlineExceeded("The index did not answer within the budget.")


def _state(server_time: int | None) -> dict[str, Any]:
    """The options of a call that must see every write up to a time of the server."""
    if server_time is None:
        return {"consistency_level": "Strong"}
    return {"consistency_level": "Customized", "guarantee_timestamp": server_time}
