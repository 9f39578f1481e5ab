"""Index versions as the state Redis holds them."""

from dataclasses import dataclass

from services.common.versions import version_key
from services.common.wire.query_rules import rules_version_key
from services.gateway.stores.state_reader import StateReader


@dataclass(slots=True)
class VersionReader:
    """Reads the version that each committed write of a collection moves."""

    reader: StateReader

    async def current(self, collection: str) -> str | None:
        """The version of a collection, or None if nothing was ever written to it. Raises
        Unavailable."""
        version = await self.reader.get(version_key(collection))
        return None if version is None else version.decode()

    async def with_rules(self, collection: str) -> tuple[str | None, str]:
        """The version, and that of the collection's query rules, empty where it never had rules.

        Raises Unavailable.
        """
        version, rules = await self.reader.get_all(
            version_key(collection), rules_version_key(collection)
        )
        return None if version is None else version.decode(), (rules or b"").decode()
