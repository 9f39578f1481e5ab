"""API keys in the state Redis, a record for each id, and the audit log of admin actions."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from services.common.errors import Conflict, NotFound, StorageDamaged
from services.gateway.access.keys import ApiKey, rotated, unreadable
from services.gateway.stores.redis_client import GuardedRedis, WrongType

KEY_PREFIX = "xunwen:key:"
_IDS = "xunwen:keys"
_AUDIT = "xunwen:audit"
_AUDIT_LENGTH = 10_000
_SHOWN = frozenset(("at", "action", "by", "key"))
"""Members that every event has."""
_Result = TypeVar("_Result")
_DAMAGED = "(damaged)"
"""Stands for the name of a key, or the action of an event, whose record cannot be read; no name has
brackets."""


@dataclass(slots=True)
class KeyStore:
    """Reads and writes keys. All methods raise Unavailable while Redis does not answer, and
    StorageDamaged if the list of keys or the log cannot be read."""

    state: GuardedRedis

    async def add(self, key: ApiKey, *, by: str) -> None:
        """Stores a new key; the audit log names `by` as its maker."""
        pipe = self.state.redis.pipeline()
        _write(pipe, key, "key created", by)
        await self._call(pipe.execute())

    async def find(self, id_or_name: str) -> ApiKey:
        """The key with this id, or else this name. Raises NotFound, and Conflict for a name that
        several keys have."""
        keys = await self.all()
        found = [key for key in keys if key.id == id_or_name]
        found = found or [key for key in keys if key.name == id_or_name]
        if not found:
            raise _unknown(id_or_name)
        if len(found) > 1:
            ids = ", ".join(key.id for key in found)
            raise Conflict(f"Several keys have the name {id_or_name[:80]!r}; take an id: {ids}.")
        return found[0]

    async def all(self) -> list[ApiKey]:
        """All keys, the oldest first. One whose record cannot be read has its id, stands first,
        and allows nothing."""
        asked: Any = self.state.redis.smembers(_IDS)
        ids = sorted(each.decode() for each in await self._call(asked))
        if not ids:
            return []
        read: Any = self.state.redis.mget([KEY_PREFIX + each for each in ids])
        records = dict(zip(ids, await self._call(read), strict=True))
        for key in [key for key, record in records.items() if record is None]:
            # A key that was revoked meanwhile has no record at all.
            damaged = await self.state.has_another_type(KEY_PREFIX + key)
            records[key] = b"" if damaged else None
        found = [_listed(key, record) for key, record in records.items() if record is not None]
        return sorted(found, key=lambda key: (key.created_at, key.id))

    async def rotate(self, id_or_name: str, *, by: str) -> tuple[str, ApiKey]:
        """Gives a key a new secret; returns the new key and its record. Raises as `find`, also for
        a key that is revoked in this moment, and StorageDamaged for its record."""
        found = await self.find(id_or_name)
        name = KEY_PREFIX + found.id

        async def renew(pipe: Any) -> tuple[str, ApiKey]:
            if await pipe.type(name) not in (b"string", b"none"):
                raise unreadable(found.id)
            packed = await pipe.get(name)
            if packed is None:
                raise _unknown(id_or_name)
            key, record = rotated(ApiKey.unpack(found.id, packed))
            pipe.multi()
            _write(pipe, record, "key rotated", by)
            return key, record

        transaction = self.state.redis.transaction(renew, name, value_from_callable=True)
        made: tuple[str, ApiKey] = await self._call(transaction)
        return made

    async def revoke(self, id_or_name: str, *, by: str) -> ApiKey:
        """Revokes a key: from now on no gateway accepts it. Raises as `find`."""
        key = await self.find(id_or_name)
        pipe = self.state.redis.pipeline()
        pipe.srem(_IDS, key.id)
        pipe.delete(KEY_PREFIX + key.id)
        _note(pipe, {"action": "key revoked", "by": by, "key": key.id, "name": key.name})
        await self._call(pipe.execute())
        return key

    async def note(self, event: dict[str, Any]) -> None:
        """Adds an event to the audit log."""
        pipe = self.state.redis.pipeline()
        _note(pipe, event)
        await self._call(pipe.execute())

    async def audit(self, n: int) -> list[dict[str, Any]]:
        """The latest `n` events of the audit log, the newest first. One that cannot be read has
        the time of its entry alone."""
        asked: Any = self.state.redis.xrevrange(_AUDIT, count=n)
        return [_event(entry, members) for entry, members in await self._call(asked)]

    async def _call(self, command: Awaitable[_Result]) -> _Result:
        try:
            return await self.state.call(command)
        except WrongType as error:
            raise StorageDamaged(
                f"The {self.state.what} has something else where API keys and the log of admin"
                f" actions are: `{_IDS}` has to be a set of ids, and `{_AUDIT}` a stream. Whoever"
                " runs the system renames what is of another type there."
            ) from error


def _listed(key: str, packed: bytes) -> ApiKey:
    try:
        return ApiKey.unpack(key, packed)
    except StorageDamaged:
        return ApiKey(key, _DAMAGED, frozenset(), hash="", created_at=0.0)


def _event(entry: bytes, members: dict[bytes, bytes]) -> dict[str, Any]:
    """The event of an entry of the audit log; the entry's id begins with its time in ms."""
    try:
        event = orjson.loads(members[b"event"])
        if event.keys() >= _SHOWN and isinstance(event["at"], int | float):
            return dict(event)
    except (AttributeError, KeyError, ValueError):
        pass  # It is told as damaged, as is one of another form.
    return dict.fromkeys(_SHOWN, "-") | {
        "at": int(entry.partition(b"-")[0]) / 1000,
        "action": _DAMAGED,
    }


def _unknown(id_or_name: str) -> NotFound:
    return NotFound(f"There is no key {id_or_name[:80]!r}; `xunwen keys list` shows all.")


def _write(pipe: Any, key: ApiKey, action: str, by: str) -> None:
    pipe.sadd(_IDS, key.id)
    pipe.set(KEY_PREFIX + key.id, key.pack())
    _note(pipe, {"action": action, "by": by, "key": key.id, "name": key.name})


def _note(pipe: Any, event: dict[str, Any]) -> None:
    stamped = {"at": round(time.time(), 3), **event}
    pipe.xadd(_AUDIT, {"event": orjson.dumps(stamped)}, maxlen=_AUDIT_LENGTH, approximate=True)
