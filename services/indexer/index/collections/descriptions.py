"""The public descriptions of collections."""

from dataclasses import dataclass

from services.common.collection import PhysicalName
from services.common.errors import StorageDamaged
from services.common.fields.columns import columns_of
from services.common.versions import IndexVersions
from services.common.wire.collections import Collection
from services.indexer.index.collections.records import CollectionRecord, CollectionRecords
from services.indexer.index.port import VectorIndex


@dataclass(frozen=True, slots=True)
class Descriptions:
    """Describes collections as clients see them."""

    index: VectorIndex
    records: CollectionRecords
    versions: IndexVersions

    async def of(self, name: str, physical: PhysicalName) -> Collection:
        """The description of a collection whose name points to this physical one."""
        version = await self.versions.current(name) or await self.versions.move(name)
        record, problem = CollectionRecord(), ""
        try:
            record = await self.records.read(name)
        except StorageDamaged as error:
            problem = error.detail  # The other collections of a list are shown with it.
        typed = await self.index.typed(physical)
        return Collection(
            name=name,
            count=await self.index.count(physical),
            encoder=physical.encoder,
            dimension=await self.index.dimension(physical),
            lexical=await self.index.lexical(physical),
            index=str(physical),
            index_version=version,
            fields=record.types,
            waiting_fields=[
                field
                for field, one in record.types.items()
                if not typed.issuperset(columns_of({field: one}, record.partition_key))
            ],
            partition_key=record.partition_key,
            problem=problem,
        )
