"""Index versions as the state Redis holds them."""

from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.common.errors import Unavailable
from services.common.versions import version_key


@dataclass(slots=True)
class RedisVersions:
    redis: Redis

    async def current(self, collection: str) -> str | None:
        """The version, or None when nothing was ever written. Raises Unavailable."""
        try:
            found = await self.redis.get(version_key(collection))
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("The state store does not answer.") from error
        return None if found is None else found.decode() if isinstance(found, bytes) else found
