"""Partition keys of collections: the field by whose values the documents are divided."""

from collections.abc import Mapping

from services.common.documents import OWN
from services.common.errors import InvalidRequest
from services.common.fields.types import FieldKind, FieldType
from services.indexer.index.collections.records import together


def with_key(types: Mapping[str, FieldType], partition_key: str | None) -> Mapping[str, FieldType]:
    """The declared types with that of the partition key, which is a keyword. Raises
    InvalidRequest."""
    if partition_key is None:
        return types
    if partition_key in OWN:
        raise InvalidRequest(f"partition_key: {partition_key} is no metadata; name another field.")
    declared = types.get(partition_key, FieldType(type=FieldKind.KEYWORD))
    if declared.type is not FieldKind.KEYWORD:
        raise InvalidRequest(
            f"partition_key: `{partition_key}` is declared as {declared.type}, and a partition key"
            " is a keyword; declare it so, or name another field."
        )
    return together(types, {partition_key: declared})


def in_partition(name: str, key: str | None, partition: str) -> dict[str, str]:
    """The metadata of every document of a partition of a collection with this key.

    Raises InvalidRequest if there is no key.
    """
    if key is None:
        raise InvalidRequest(
            f"partition: collection {name!r} has no partition key; create a collection with"
            " `partition_key` first, which names the field of the partition."
        )
    return {key: partition}
