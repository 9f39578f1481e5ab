"""Index versions in the state Redis."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.common.errors import QueueUnavailable
from services.common.versions import new_version, version_key


class RedisVersions:
    """The IndexVersions port. Raises QueueUnavailable while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def check(self) -> None:
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise _away() from error

    async def current(self, collection: str) -> str | None:
        try:
            value = await self._redis.get(version_key(collection))
        except (RedisError, OSError) as error:
            raise _away() from error
        return value.decode() if isinstance(value, bytes) else value

    async def move(self, collection: str) -> str:
        version = new_version()
        try:
            await self._redis.set(version_key(collection), version)
        except (RedisError, OSError) as error:
            raise _away() from error
        return version

    async def forget(self, collection: str) -> None:
        try:
            await self._redis.delete(version_key(collection))
        except (RedisError, OSError) as error:
            raise _away() from error


def _away() -> QueueUnavailable:
    return QueueUnavailable("The state Redis does not answer; try again shortly.", retry_after=2)
