"""Index versions as the state Redis holds them."""

from dataclasses import dataclass

from services.common.errors import Unavailable
from services.common.versions import version_in, version_key
from services.common.wire.query_rules import rules_version_key
from services.gateway.stores.state_reader import StateReader


@dataclass(slots=True)
class VersionReader:
    """Reads the version that each committed write of a collection moves."""

    reader: StateReader

    async def current(self, collection: str) -> str | None:
        """The version of a collection, or None if nothing was ever written to it. Raises
        Unavailable."""
        return _version(collection, await self.reader.get(version_key(collection)))

    async def with_rules(self, collection: str) -> tuple[str | None, str]:
        """The version, and that of the collection's query rules, empty where it never had rules.

        Raises Unavailable.
        """
        version, rules = await self.reader.get_all(
            version_key(collection), rules_version_key(collection)
        )
        return _version(collection, version), (rules or b"").decode(errors="backslashreplace")


def _version(collection: str, stored: bytes | None) -> str | None:
    """Raises Unavailable for what is no version, since no cached answer can be of it."""
    if stored is None:
        return None
    version = version_in(stored)
    if version is None:
        raise Unavailable(
            f"The index version of {collection!r} cannot be read; the next write to the collection"
            " sets a new one."
        )
    return version
