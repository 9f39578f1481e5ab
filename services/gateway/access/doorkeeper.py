"""Admits callers: finds the record of their key, checks its secret, and applies scope and rate."""

from collections import OrderedDict
from dataclasses import dataclass, field

from services.common.errors import Forbidden, Unauthenticated, Unavailable
from services.gateway.access.keys import (
    ApiKey,
    Scope,
    key_id,
    key_of_operator,
    matches,
    unreadable,
)
from services.gateway.access.keystore import KEY_PREFIX
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.access.rights import scope_of
from services.gateway.stores.state_reader import StateReader

_REMEMBERED = 10_000
"""Number of records that are kept for times when the state Redis does not answer."""
_SHOWN = 200
"""Characters of a path that a message quotes."""

EVERYBODY = ApiKey("-", "-", frozenset({Scope.ADMIN}), "")
"""The caller if the gateway asks for no keys."""


@dataclass(slots=True)
class Doorkeeper:
    """Reads a key's record anew for each request, so that a revoked key ends at once everywhere.

    If the state Redis does not answer, the records that were read last stay valid.
    """

    reader: StateReader
    limiter: RateLimiter
    operator_key: str | None = None
    _remembered: OrderedDict[str, ApiKey] = field(default_factory=OrderedDict)

    async def admit(
        self, authorization: str | None, method: str, path: str, *, counted: bool = False
    ) -> ApiKey:
        """The caller's key. `counted` says that the call belongs to a request that the rate has
        counted. Raises Unauthenticated, Forbidden, RateLimited, Unavailable, StorageDamaged."""
        key = await self._authenticated(authorization)
        scope = scope_of(method, path)
        if scope is None:
            raise Forbidden(f"No key may call {method} {path[:_SHOWN]}; see /docs for the API.")
        if not key.allows(scope):
            raise Forbidden(
                f"This needs a key with the scope {scope.value!r}; yours has"
                f" {', '.join(sorted(key.scopes))}."
            )
        if key.rate is not None and not counted:
            await self.limiter.admit(key.id, key.rate)
        return key

    async def _authenticated(self, authorization: str | None) -> ApiKey:
        scheme, _, offered = (authorization or "").partition(" ")
        offered = offered.strip()
        if scheme.lower() != "bearer" or not offered:
            raise Unauthenticated("Send an API key as `Authorization: Bearer xw_…`.")
        if self.operator_key is not None:
            operator = key_of_operator(self.operator_key)
            if matches(offered, operator):
                return operator
        found = key_id(offered)
        record = await self._record(found) if found else None
        if not matches(offered, record) or record is None:
            raise Unauthenticated("This API key is not valid.")
        return record

    async def _record(self, key: str) -> ApiKey | None:
        try:
            packed = await self.reader.get(KEY_PREFIX + key)
        except Unavailable:
            if key in self._remembered:
                return self._remembered[key]
            raise
        if packed is None:
            self._remembered.pop(key, None)
            if await self.reader.state.has_another_type(KEY_PREFIX + key):
                raise unreadable(key)
            return None
        record = ApiKey.unpack(key, packed)
        self._remembered[key] = record
        self._remembered.move_to_end(key)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return record
