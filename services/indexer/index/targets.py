"""The collections that a write goes into: the live one, and the one that a rebuild fills."""

import time
from dataclasses import dataclass
from typing import Protocol

from services.common.collection import PhysicalName
from services.common.errors import Conflict, Unavailable
from services.indexer.index.collections.states import CollectionState

_SETTLE_SECONDS = 5.0
"""Seconds for which a single write waits for a rebuild to begin or to end."""


class RunningJobs(Protocol):
    """The running jobs, as the writer needs them."""

    def check(self) -> None:
        """Raises Unavailable while the jobs are not known."""

    def rebuilding(self, collection: str) -> int | None:
        """The version of the rebuild that runs on a collection; None if none does.

        Raises Unavailable while the jobs are not known.
        """

    def importing(self, collection: str) -> str | None:
        """Id of the import that runs on a collection; None if none does.

        Raises Unavailable while the jobs are not known.
        """

    async def change(self, seconds: float) -> None:
        """Returns at the next change of a job, or after `seconds`."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Finds the targets of writes."""

    jobs: RunningJobs

    def check_open(self, name: str) -> None:
        """Raises Conflict while an import fills the collection."""
        job = self.jobs.importing(name)
        if job is not None:
            raise Conflict(
                f"Collection {name!r} takes no writes while job {job} imports documents into it;"
                " wait for the job, or cancel it."
            )

    def of(
        self, state: CollectionState, physical: PhysicalName, version: int
    ) -> list[PhysicalName]:
        """The live collection, and the one that a rebuild fills if the version of the write
        concerns it. Raises Unavailable while a rebuild begins or ends, and Conflict while an
        import runs."""
        self.check_open(physical.name)
        building = state.building
        if self._unsettled(physical.name, state):
            raise Unavailable(
                "A rebuild of the collection begins or ends; try again in a second.", retry_after=1
            )
        if building is None or version < building.since:
            return [physical]
        return [physical, building.physical]

    async def settled(self, name: str, state: CollectionState) -> None:
        """Returns when no rebuild begins or ends, or after five seconds."""
        give_up = time.monotonic() + _SETTLE_SECONDS
        while self._unsettled(name, state) and time.monotonic() < give_up:
            await self.jobs.change(0.1)

    def _unsettled(self, name: str, state: CollectionState) -> bool:
        """Whether a rebuild runs whose new collection is not known yet, as after a restart, or
        no longer. A write into the old collection alone would be lost at the switch."""
        version = self.jobs.rebuilding(name)
        built = state.building.physical.generation if state.building else None
        return version is not None and built != version
