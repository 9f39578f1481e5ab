"""Index versions as the state Redis holds them."""

from dataclasses import dataclass

from services.common.versions import version_key
from services.gateway.state_reader import StateReader


@dataclass(slots=True)
class RedisVersions:
    reader: StateReader

    async def current(self, collection: str) -> str | None:
        """The version, or None when nothing was ever written. Raises Unavailable."""
        found = await self.reader.get(version_key(collection))
        return None if found is None else found.decode()
