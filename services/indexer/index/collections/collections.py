"""Collections by their users' names: the one that answers under a name, and the one that is being
built."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.common.collection import LAYOUT, PhysicalName, check_collection_name
from services.common.errors import (
    CollectionExists,
    CollectionNotFound,
    Conflict,
    EncoderMismatch,
    InvalidRequest,
)
from services.common.fields.columns import columns_of
from services.common.fields.types import FieldType
from services.common.model_dir.encoders import EncoderDirectories, EncoderDirectory
from services.common.text import Analyzers, WordAnalyzer
from services.common.wire.collections import Collection
from services.indexer.dictionaries import Dictionaries
from services.indexer.index.collections.clock import VersionClock
from services.indexer.index.collections.descriptions import Descriptions
from services.indexer.index.collections.drops import Drops
from services.indexer.index.collections.partition_keys import in_partition, with_key
from services.indexer.index.collections.records import CollectionRecords, together
from services.indexer.index.collections.states import CollectionState, States, Versions
from services.indexer.index.collections.tombstones import Tombstones
from services.indexer.index.collections.words import WordAnalyses
from services.indexer.index.port import VectorIndex
from services.indexer.store import ObjectStore


class Collections:
    """Creates, lists, drops and switches collections. All methods raise IndexUnavailable."""

    def __init__(
        self,
        index: VectorIndex,
        store: ObjectStore,
        versions: Versions,
        clock: VersionClock,
        encoders: EncoderDirectories,
        analyzers: Analyzers,
        newest_job: Callable[[str], int],
        check: Callable[[], Awaitable[None]],
    ) -> None:
        """`newest_job` gives the highest version of a collection's jobs, `check` raises Unavailable
        if this process is not the writer."""
        self.index = index
        self.encoders = encoders
        self._records = CollectionRecords(store)
        self.words = WordAnalyses(Dictionaries(store, analyzers), self._records)
        self._versions = versions
        self._clock = clock
        self._descriptions = Descriptions(index, self._records, versions)
        self._states = States(store, self._records, versions, clock, newest_job)
        self._drops = Drops(index, store, self._records, self.words, versions, self._states, check)
        self._store = store

    async def state(self, name: str) -> CollectionState:
        """The state of a collection, whose drop is finished first if one was interrupted.

        Raises InvalidRequest for an impossible name, StorageDamaged, Unavailable.
        """
        if name in await self._drops.begun():
            async with self._states.lock(name):
                await self._drops.complete(name)
        return await self._states.of(name)

    def forget_states(self) -> None:
        """Drops every state, since another process was the writer meanwhile."""
        self._states.forget()
        self._drops.forget()

    async def left_behind(self) -> set[str]:
        """Names of the collections that have deletions to respect or a drop to finish, whether or
        not they exist."""
        deleted = await asyncio.to_thread(Tombstones.collections, self._store)
        return {*deleted, *await self._drops.begun()}

    async def live(self, name: str) -> PhysicalName:
        """The collection that answers under a name. Raises CollectionNotFound."""
        physical = await self.index.resolve(check_collection_name(name))
        if physical is None:
            raise CollectionNotFound(f"There is no collection {name!r}.")
        return physical

    async def fitting(self, name: str) -> PhysicalName | None:
        """The live collection if this installation may write to it; None if there is none.

        Raises EncoderMismatch.
        """
        physical = await self.index.resolve(check_collection_name(name))
        if physical is not None and not await self.fits(physical):
            raise EncoderMismatch(
                f"Collection {name!r} was filled by another encoder, word analysis, user dictionary"
                f" or version of Xunwen ({physical.encoder}, {physical.analyzer},"
                f" {physical.layout}); here they are {', '.join(self.encoders.fingerprints)},"
                f" {self.words.by_files(name).identity}, {LAYOUT}. Rebuild it with"
                f" POST /v1/collections/{name}:rebuild, or with an index job of mode=rebuild."
            )
        return physical

    async def fits(self, physical: PhysicalName) -> bool:
        """Whether the collection was filled by an encoder that is installed, a word analysis that
        is known, and this row layout."""
        if physical.encoder not in self.encoders or physical.layout != LAYOUT:
            return False
        return await self.words.of(physical) is not None

    async def analyzer(self, name: str) -> WordAnalyzer:
        """The word analysis of the live collection, or else of the next one. Raises
        EncoderMismatch."""
        physical = await self.fitting(name)
        analyzer = None if physical is None else await self.words.of(physical)
        return analyzer or await self.words.wanted(name)

    async def encoder_of_next(self, name: str) -> EncoderDirectory:
        """The encoder of a collection's next generation: the one that it names, or the default.

        Raises EncoderMismatch when the one that it names is not installed.
        """
        return self.encoders.of((await self._records.read(name)).encoder)

    def installed(self, encoder: str) -> EncoderDirectory:
        """The encoder that a caller names. Raises InvalidRequest."""
        if encoder not in self.encoders:
            raise InvalidRequest(
                f"encoder: {encoder[:80]!r} is not installed; the fingerprints of those that are:"
                f" {', '.join(self.encoders.fingerprints)}."
            )
        return self.encoders.of(encoder)

    async def ensure(self, name: str, encoder: str | None = None) -> PhysicalName:
        """The live collection; if there is none it is created, for this encoder if one is given.

        The caller holds the state's lock.
        """
        await self._drops.complete(name)
        physical = await self.fitting(name)
        if physical is None:
            chosen = encoder or (await self.encoder_of_next(name)).fingerprint
            await self.name_encoder(name, chosen)
            wanted = (await self.words.wanted(name)).identity
            physical = self.physical(name, self._clock.next(), chosen, wanted)
            await self.create_index(physical, 0)
            await self.index.point(name, physical)
        return physical

    async def create_index(self, physical: PhysicalName, documents: int) -> None:
        """Creates an empty index for about so many documents, with columns for the declared
        fields."""
        dimension = self.encoders.of(physical.encoder).dimension
        record = await self._records.read(physical.name)
        typed = columns_of(record.types, record.partition_key)
        words: Sequence[str] = ()
        if (analyzer := await self.words.of(physical)) is not None:
            await self.words.keep(physical.name, analyzer)
            words = analyzer.user_words
        await self.index.create(physical, dimension, documents, typed, words)

    def physical(
        self, name: str, generation: int, encoder: str | None, analyzer: str | None
    ) -> PhysicalName:
        """The physical name of a generation that a job fills, also if its encoder is no longer
        installed.

        None, as in jobs of versions before 0.2, means the default encoder and the word analysis of
        the files.
        """
        identity = analyzer or self.words.by_files(name).identity
        return PhysicalName(
            name, encoder or self.encoders.default.fingerprint, identity, generation
        )

    async def create(
        self,
        name: str,
        encoder: str | None = None,
        types: Mapping[str, FieldType] | None = None,
        partition_key: str | None = None,
    ) -> Collection:
        """Creates an empty collection, for this encoder if one is given, with these types of its
        fields, one of which may be the key of its partitions.

        Raises CollectionExists, InvalidRequest.
        """
        types = with_key(types or {}, partition_key)
        if encoder is not None:
            self.installed(encoder)
        state = await self.state(name)
        async with state.lock:
            if await self.index.resolve(name) is not None:
                raise CollectionExists(f"Collection {name!r} exists already.")
            chosen = {} if encoder is None else {"encoder": self._named(encoder)}
            # One write: after a crash between two, a later collection would have half of it.
            await self._records.change(
                name, fields=_dumped(types), partition_key=partition_key, **chosen
            )
            state.types, state.partition_key = dict(types), partition_key
            await self.ensure(name, encoder)
        await self._versions.move(name)
        return await self.describe(name)

    async def drop(self, name: str) -> None:
        """Removes the collection, all its generations, and what belongs to it. Raises
        CollectionNotFound."""
        async with self._states.lock(name):
            if name not in await self._drops.begun():
                await self.live(name)
                await self._drops.begin(name)
            await self._drops.complete(name)

    async def describe(self, name: str) -> Collection:
        """The public description of a collection. Raises CollectionNotFound."""
        return await self._descriptions.of(name, await self.live(name))

    async def list(self) -> list[Collection]:
        """Every collection with a name, in the order of names."""
        names = await self.index.names()
        return [await self._descriptions.of(name, one) for name, one in sorted(names.items())]

    async def declare(self, name: str, types: Mapping[str, FieldType]) -> Collection:
        """Adds declared types to those of a collection, and changes weights of texts.

        Documents that are written from then on are checked; stored ones are by the next rebuild.
        Raises CollectionNotFound, Conflict for another type of a declared field.
        """
        state = await self.state(name)
        async with state.lock:
            await self.live(name)
            known = state.types
            for field, one in types.items():
                if field in known and known[field].type is not one.type:
                    raise Conflict(
                        f"`{field}` is declared as {known[field].type} already, and a declared type"
                        " does not change; index the documents into another collection."
                    )
            declared = together(known, types)
            await self._records.change(name, fields=_dumped(declared))
            state.types = declared
        return await self.describe(name)

    async def set_words(self, name: str, words: Sequence[str]) -> tuple[WordAnalyzer, bool]:
        """Sets the dictionary of a collection's next index; without words, the file's again.

        Returns its analyzer, and whether the live index is cut by another one. An empty collection
        is made anew with it. Raises CollectionNotFound, InvalidRequest.
        """
        analyzer = await self.words.checked(words) if words else self.words.by_files(name)
        state = await self.state(name)
        async with state.lock:
            live = await self.live(name)
            await self.words.keep(name, analyzer)
            await self._records.change(name, dictionary=analyzer.identity if words else None)
            if state.building is None and not await self.index.count(live):
                new = replace(
                    live, analyzer=analyzer.identity, generation=self._clock.next(), layout=LAYOUT
                )
                await self.create_index(new, 0)
                await self.index.point(name, new)
                await self.index.drop(live)
                live = new
        await self._versions.move(name)
        return analyzer, live.analyzer != analyzer.identity

    async def previous(self, name: str) -> PhysicalName | None:
        """The generation that a rollback returns to; None if there is none. Raises Unavailable."""
        previous = (await self._records.read(name)).previous
        return None if previous is None else PhysicalName.parse(previous)

    async def remember_previous(self, name: str, physical: PhysicalName) -> None:
        """Notes the generation that a rollback returns to; the note is durable when this
        returns."""
        await self._records.change(name, previous=str(physical))

    async def in_partition(self, name: str, partition: str) -> dict[str, str]:
        """The metadata of every document of a partition. Raises InvalidRequest if the collection
        has no partition key."""
        return in_partition(name, (await self.state(name)).partition_key, partition)

    async def name_encoder(self, name: str, encoder: str) -> None:
        """Notes the encoder of generations to come; the default one leaves the choice open."""
        await self._records.change(name, encoder=self._named(encoder))

    def _named(self, encoder: str) -> str | None:
        """The encoder as a record names it; None for the default one, which may change."""
        return None if encoder == self.encoders.default.fingerprint else encoder


def _dumped(types: Mapping[str, FieldType]) -> dict[str, Any]:
    """Declared types as JSON objects, in which form a record has them."""
    return {field: one.model_dump(mode="json") for field, one in types.items()}
