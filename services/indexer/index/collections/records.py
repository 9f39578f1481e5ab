"""What is stored durably about each collection beside its rows."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from services.common.errors import InvalidRequest
from services.common.fields.types import MAX_TYPES, FieldType
from services.indexer.damage import readable
from services.indexer.store import NoSuchObject, ObjectStore

_REMEDY = (
    "Until then searches go on and nothing is written to the collection. Put the file that the"
    " indexer's log names back from a backup; without one, remove it, which forgets the partition"
    " key, the encoder and the index of `:rollback`, and declare the fields again."
)


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """The record of a collection."""

    previous: str | None = None
    """The generation that a rollback returns to."""
    encoder: str | None = None
    """Encoder of the collection's next generations; None follows the default."""
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Declared types by the name of the field, as JSON objects."""
    partition_key: str | None = None
    """Field by whose values the rows are divided into partitions; None divides nothing."""
    dictionary: str | None = None
    """Identity of the word analysis with the owner's words; None follows the files."""

    @property
    def types(self) -> dict[str, FieldType]:
        """Declared types by the name of the field."""
        return {name: FieldType.model_validate(one) for name, one in self.fields.items()}


def together(
    known: Mapping[str, FieldType], declared: Mapping[str, FieldType]
) -> dict[str, FieldType]:
    """The known types and the declared ones, which take the place of known ones. Raises
    InvalidRequest for more than a record may hold."""
    types = {**known, **declared}
    if len(types) > MAX_TYPES:
        raise InvalidRequest(
            f"fields: {len(types)} fields would be declared, at most {MAX_TYPES} can be."
        )
    return types


class CollectionRecords:
    """The records of all collections. Every method raises Unavailable while storage is away, and
    StorageDamaged for a record that cannot be read."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def read(self, name: str) -> CollectionRecord:
        """The record of a collection; the default one if none was written."""
        try:
            content = await asyncio.to_thread(self._store.read, _key(name))
        except NoSuchObject:
            return CollectionRecord()
        with readable(f"The record of collection {name!r}", _key(name), remedy=_REMEDY):
            record = CollectionRecord(**json.loads(content))
            _ = record.types  # They are read on the way, so that all of it is known to be whole.
        return record

    async def change(self, name: str, **members: Any) -> None:
        """Changes members of the record by one write, and by none if they are so already; they are
        durable when this returns."""
        record = await self.read(name)
        changed = replace(record, **members)
        if changed != record:
            content = json.dumps(asdict(changed)).encode()
            await asyncio.to_thread(self._store.write, _key(name), content)

    async def remove(self, name: str) -> None:
        """Removes the record of a dropped collection."""
        await asyncio.to_thread(self._store.remove, _key(name))


def _key(name: str) -> str:
    return f"collections/{name}.json"
