"""Milvus behind the VectorIndex port: milvus-lite, Milvus 2.3 and newer clusters."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from opentelemetry.trace import SpanKind
from pymilvus import MilvusClient
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from services.common.collection import Field, PhysicalName
from services.common.errors import IndexUnavailable, InvalidRequest, Overloaded
from services.common.tracing import span
from services.indexer.index.choice import IndexChoice
from services.indexer.index.entities import ROW_FIELDS, among, chunks, entity, row_of
from services.indexer.index.schema import collection_indexes, collection_schema
from services.indexer.rows import Row, Vector

P = ParamSpec("P")
R = TypeVar("R")

_CALL_SECONDS = 30.0
_SLOW_SECONDS = 300.0
"""For flush, load and index building, which wait for background work."""
_SCAN_ROWS = 1000
_GRPC = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,  # else a long outage is noticed minutes late
    # The client's default, a ping each 10 s, makes milvus-lite hang up: "too many pings".
    "grpc.keepalive_time_ms": 300_000,
    "grpc.keepalive_permit_without_calls": 0,
}
_RATE_LIMITED = 8
_INVALID = 1100
_REFUSED = (DataNotMatchException, ParamError)


def _translated(
    call: Callable[Concatenate["MilvusIndex", P], R],
) -> Callable[Concatenate["MilvusIndex", P], R]:
    """No exception of the vendor leaves this module."""

    @wraps(call)
    def wrapper(self: "MilvusIndex", *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            try:
                return call(self, *args, **kwargs)
            except MilvusException as error:
                if not _not_loaded(error):
                    raise
                for argument in args:
                    if isinstance(argument, PhysicalName):
                        self._milvus().load_collection(str(argument), timeout=_SLOW_SECONDS)
                return call(self, *args, **kwargs)
        except MilvusException as error:
            if error.code == _RATE_LIMITED or "rate limit" in str(error).lower():
                raise Overloaded("The index asks for less load.", retry_after=2) from error
            if error.code == _INVALID or isinstance(error, _REFUSED):
                # Trying again would not help: a part with such a row is halved to find it.
                raise InvalidRequest("The index does not take a row of it.") from error
            raise IndexUnavailable(
                f"The index did not carry out {call.__name__}; try again shortly.", retry_after=2
            ) from error

    return cast("Callable[Concatenate[MilvusIndex, P], R]", wrapper)


class MilvusIndex:
    """One client, opened at the first call, so that the service starts without Milvus."""

    def __init__(self, uri: str, token: str | None, choice: IndexChoice | None = None) -> None:
        self._uri = uri
        self._token = token or ""
        self._choice = choice or IndexChoice()
        self._client: MilvusClient | None = None
        self._version = ""
        self._lexical: dict[PhysicalName, bool] = {}
        self._opening = threading.Lock()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    @property
    def needs_flush(self) -> bool:
        return "lite" in self._version

    @_translated
    def check(self) -> None:
        self._milvus().list_collections(timeout=2)

    @_translated
    def aliases(self) -> dict[str, PhysicalName]:
        found: dict[str, PhysicalName] = {}
        for physical in self.physicals():
            listed = self._milvus().list_aliases(str(physical), timeout=_CALL_SECONDS)
            found.update((name, physical) for name in listed.get("aliases", []))
        return found

    @_translated
    def physicals(self) -> list[PhysicalName]:
        names = self._milvus().list_collections(timeout=_CALL_SECONDS)
        return [parsed for name in names if (parsed := PhysicalName.parse(name)) is not None]

    @_translated
    def resolve(self, name: str) -> PhysicalName | None:
        try:
            answer = self._milvus().describe_alias(name, timeout=_CALL_SECONDS)
        except MilvusException as error:
            if _missing(error):
                return None
            raise
        return PhysicalName.parse(answer["collection_name"])

    @_translated
    def create(self, physical: PhysicalName, dimension: int, documents: int) -> None:
        client, name = self._milvus(), str(physical)
        if not client.has_collection(name, timeout=_CALL_SECONDS):
            lexical = not self._version.startswith(("2.3", "v2.3", "2.4", "v2.4"))
            kind, parameters = self._choice.of(
                documents, embedded=self._version.startswith("milvus_lite")
            )
            client.create_collection(
                name,
                schema=collection_schema(dimension, lexical=lexical),
                index_params=collection_indexes(kind, parameters, lexical=lexical),
                timeout=_SLOW_SECONDS,
            )
        client.load_collection(name, timeout=_SLOW_SECONDS)

    @_translated
    def point(self, name: str, physical: PhysicalName) -> None:
        client = self._milvus()
        if self.resolve(name) is None:
            client.create_alias(str(physical), name, timeout=_CALL_SECONDS)
        else:
            client.alter_alias(str(physical), name, timeout=_CALL_SECONDS)

    @_translated
    def unpoint(self, name: str) -> None:
        self._milvus().drop_alias(name, timeout=_CALL_SECONDS)

    @_translated
    def drop(self, physical: PhysicalName) -> None:
        self._milvus().drop_collection(str(physical), timeout=_SLOW_SECONDS)

    @_translated
    def load(self, physical: PhysicalName) -> None:
        self._milvus().load_collection(str(physical), timeout=_SLOW_SECONDS)

    @_translated
    def lexical(self, physical: PhysicalName) -> bool:
        if physical not in self._lexical:  # a schema never changes
            names = {item["name"] for item in self._fields(physical)}
            self._lexical[physical] = Field.LEXICAL in names
        return self._lexical[physical]

    @_translated
    def dimension(self, physical: PhysicalName) -> int:
        vector = next(item for item in self._fields(physical) if item["name"] == Field.VECTOR)
        return int(vector["params"]["dim"])

    @_translated
    def upsert(self, physical: PhysicalName, rows: Sequence[Row], version: int) -> None:
        lexical = self.lexical(physical)
        about = {"db.system.name": "milvus", "db.collection.name": str(physical)}
        with span("milvus.upsert", kind=SpanKind.CLIENT, attributes=about):
            self._milvus().upsert(
                str(physical),
                [entity(row, version, lexical) for row in rows],
                timeout=_CALL_SECONDS,
            )

    @_translated
    def delete(self, physical: PhysicalName, ids: Sequence[str]) -> None:
        for chunk in chunks(ids):
            # By expression: the client's own list of ids quotes nothing.
            self._milvus().delete(str(physical), filter=among(chunk), timeout=_CALL_SECONDS)

    @_translated
    def versions(self, physical: PhysicalName, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for chunk in chunks(ids):
            rows = self._query(physical, among(chunk), [Field.ID, Field.VERSION])
            found.update((row[Field.ID], int(row[Field.VERSION])) for row in rows)
        return found

    @_translated
    def documents(self, physical: PhysicalName, ids: Sequence[str]) -> list[Row]:
        fields = [*ROW_FIELDS, Field.VECTOR]
        return [
            row_of(row)
            for chunk in chunks(ids)
            for row in self._query(physical, among(chunk), fields)
        ]

    @_translated
    def matching(self, physical: PhysicalName, expression: str, limit: int) -> list[str]:
        rows = self._query(physical, expression, [Field.ID], limit=limit)
        return [row[Field.ID] for row in rows]

    def scan(self, physical: PhysicalName) -> Iterator[Row]:
        iterator = self._iterator(physical)
        while batch := self._next(iterator):
            yield from batch
        iterator.close()

    @_translated
    def nearest(self, physical: PhysicalName, vectors: Sequence[Vector], k: int) -> list[list[str]]:
        answers = self._milvus().search(
            str(physical),
            data=[vector.tolist() for vector in vectors],
            anns_field=Field.VECTOR,
            limit=k,
            search_params={"metric_type": "IP", "params": {"ef": max(64, k)}},
            output_fields=[Field.ID],
            consistency_level="Strong",
            timeout=_CALL_SECONDS,
        )
        return [[str(hit[Field.ID]) for hit in hits] for hits in answers]

    @_translated
    def count(self, physical: PhysicalName, version: int | None = None) -> int:
        expression = "" if version is None else f"{Field.VERSION} == {version}"
        rows = self._query(physical, expression, ["count(*)"])
        return int(rows[0]["count(*)"])

    @_translated
    def flush(self, physical: PhysicalName) -> None:
        self._milvus().flush(str(physical), timeout=_SLOW_SECONDS)

    def _milvus(self) -> MilvusClient:
        with self._opening:
            if self._client is None:
                client = MilvusClient(self._uri, token=self._token, timeout=5, grpc_options=_GRPC)
                self._version = str(client.get_server_version(timeout=5))
                self._client = client
            return self._client

    def _fields(self, physical: PhysicalName) -> list[dict[str, Any]]:
        described = self._milvus().describe_collection(str(physical), timeout=_CALL_SECONDS)
        fields: list[dict[str, Any]] = described["fields"]
        return fields

    def _query(
        self, physical: PhysicalName, expression: str, fields: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        return list(
            self._milvus().query(
                str(physical),
                filter=expression,
                output_fields=list(fields),
                consistency_level="Strong",
                timeout=_CALL_SECONDS,
                **options,
            )
        )

    @_translated
    def _iterator(self, physical: PhysicalName) -> Any:
        return self._milvus().query_iterator(
            str(physical),
            batch_size=_SCAN_ROWS,
            output_fields=[*ROW_FIELDS, Field.VECTOR],
            timeout=_SLOW_SECONDS,
        )

    @_translated
    def _next(self, iterator: Any) -> list[Row]:
        return [row_of(row) for row in iterator.next()]


def _missing(error: MilvusException) -> bool:
    text = str(error).lower()
    return "not found" in text or "not exist" in text or "can't find" in text


def _not_loaded(error: MilvusException) -> bool:
    text = str(error).lower()
    return "not loaded" in text or "call load" in text or "not been loaded" in text
