"""Calls on whole collections."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from services.common.validation import first_reason
from services.common.wire.collections import (
    Collection,
    CollectionList,
    DeclaredFields,
    RebuildOptions,
)
from services.common.wire.contents import CollectionStatistics, ExportFormat, ExportOptions
from services.common.wire.golden import GoldenQueries, GoldenQuery
from services.common.wire.jobs import JobAccepted
from xunwen.client.calls.call import Call, Nothing, collection_path, given, parameters
from xunwen.client.errors import XunwenError


def collections() -> Call[CollectionList]:
    """The list of collections."""
    return Call("GET", "/v1/collections", CollectionList)


def collection(name: str) -> Call[Collection]:
    """One collection."""
    return Call("GET", collection_path(name), Collection)


def create_collection(
    name: str,
    encoder: str | None,
    fields: Mapping[str, Any] | None,
    partition_key: str | None,
) -> Call[Collection]:
    """A new, empty collection."""
    body = given(
        name=name,
        encoder=encoder,
        fields=fields and _declared(fields),
        partition_key=partition_key,
    )
    return Call("POST", "/v1/collections", Collection, json=body, repeatable=False)


def declare_fields(name: str, fields: Mapping[str, Any]) -> Call[Collection]:
    """The declaration of types of fields."""
    body = {"fields": _declared(fields)}
    return Call("PUT", f"{collection_path(name)}/fields", Collection, json=body)


def _declared(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Types in the form in which they are sent. Raises XunwenError for an impossible one."""
    try:
        declared = DeclaredFields.model_validate({"fields": fields})
    except ValidationError as error:
        raise XunwenError(f"{first_reason(error)}.") from error
    return dict(declared.model_dump(mode="json")["fields"])


def delete_collection(name: str) -> Call[Nothing]:
    """The deletion of a collection."""
    return Call("DELETE", collection_path(name), Nothing, repeatable=False)


def rebuild(name: str, encoder: str | None, force: bool) -> Call[JobAccepted]:
    """The rebuild of a collection."""
    path = f"{collection_path(name)}:rebuild"
    options = parameters(RebuildOptions, "Rebuild", {"encoder": encoder, "force": force})
    return Call("POST", path, JobAccepted, params=options, repeatable=False)


def rollback(name: str) -> Call[Collection]:
    """The return to the index before the last rebuild."""
    return Call("POST", f"{collection_path(name)}:rollback", Collection, repeatable=False)


def golden_set(queries: Iterable[GoldenQuery | Mapping[str, Any]]) -> GoldenQueries:
    """Golden queries in the form in which they are sent. Raises XunwenError for an impossible
    one."""
    try:
        return GoldenQueries.model_validate(
            {
                "queries": [
                    each.model_dump() if isinstance(each, GoldenQuery) else each for each in queries
                ]
            }
        )
    except ValidationError as error:
        raise XunwenError(f"Golden queries: {first_reason(error)}.") from error


def put_golden_queries(name: str, golden: GoldenQueries) -> Call[GoldenQueries]:
    """The replacement of the golden queries of a collection."""
    path = f"{collection_path(name)}/golden-queries"
    return Call("PUT", path, GoldenQueries, json=golden.model_dump())


def golden_queries(name: str) -> Call[GoldenQueries]:
    """The golden queries of a collection."""
    return Call("GET", f"{collection_path(name)}/golden-queries", GoldenQueries)


def statistics(name: str) -> Call[CollectionStatistics]:
    """The statistics of the fields of a collection."""
    return Call("GET", f"{collection_path(name)}/statistics", CollectionStatistics)


def export_path(
    name: str, format: ExportFormat | str, filter: Mapping[str, Any] | None, vectors: bool
) -> str:
    """The path of an export with its parameters."""
    members = {"format": format, "filter": filter, "vectors": vectors}
    options = parameters(ExportOptions, "Export", members)
    return f"{collection_path(name)}/export?{urlencode(options)}"
