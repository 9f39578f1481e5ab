"""API keys: their form, the record of each key, and what a key allows. This module does no input or
output.

A key is `xw_<id>_<secret>`; the id finds the record, the secret proves it. The secret is 256 random
bits, so one SHA-256 of it is the right hash: nobody can guess it, and slow hashes such as bcrypt,
which only make guesses expensive, would cost each request their time.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from services.common.collection import check_collection_name
from services.common.errors import InvalidRequest, StorageDamaged

_FORM = re.compile(r"xw_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_TENANT = "-"
"""Tenant of the keys that were made without one, and of callers if no keys are asked for."""


class Scope(StrEnum):
    """The rights of a key. ADMIN includes the others; INDEX and SEARCH do not include each
    other."""

    SEARCH = "search"
    INDEX = "index"
    ADMIN = "admin"


_YEAR_10000 = 253_402_300_800
"""Seconds since the epoch from which on no date can be shown."""


_Names = Annotated[frozenset[str], PlainSerializer(sorted)]


class _StoredKey(BaseModel):
    """The stored form of a record. A later release may add members; none may be missing, since a
    record without `collections` would otherwise allow all of them."""

    model_config = ConfigDict(strict=True, extra="ignore", from_attributes=True)

    name: str
    scopes: _Names
    hash: str
    collections: _Names | None
    tenant: str
    rate: float | None = Field(gt=0)
    created_at: float = Field(ge=0, lt=_YEAR_10000)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The record of a key, without its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    """Values of Scope. A record that a later release has written may hold others, which allow
    nothing here."""
    hash: str
    """SHA-256 of the whole key, in hex digits."""
    collections: frozenset[str] | None = None
    """Names of the only collections that the key sees; None for all."""
    tenant: str = NO_TENANT
    """Name of the tenant; keys of one tenant share cached answers and idempotency keys."""
    rate: float | None = None
    """Requests per second on average; None for no limit."""
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""

    def allows(self, scope: Scope) -> bool:
        """Whether the key may make calls that need this scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, collection: str) -> bool:
        """Whether the key may see this collection."""
        return self.collections is None or collection in self.collections

    def pack(self) -> bytes:
        """The stored form of the record, without its id."""
        return _StoredKey.model_validate(self).model_dump_json().encode()

    @classmethod
    def unpack(cls, key: str, packed: bytes) -> "ApiKey":
        """The record of the key with the id `key`, from its stored form. Raises StorageDamaged for
        what is none."""
        try:
            stored = _StoredKey.model_validate_json(packed)
        except ValidationError as error:
            raise unreadable(key) from error
        return cls(id=key, **dict(stored))


def unreadable(key: str) -> StorageDamaged:
    """The error for a stored value that is no record of the key with the id `key`."""
    return StorageDamaged(
        f"The record of the API key {key} cannot be read: it was changed by hand, or a later"
        f" version wrote it. Whoever runs the system revokes it with `xunwen keys revoke {key}` and"
        " makes a new one with `xunwen keys create`."
    )


def digest(key: str) -> str:
    """SHA-256 of a whole key, in hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()


_NO_HASH = digest("")


def key_id(offered: str) -> str | None:
    """The id within an offered key; None for text that does not have the form of a key."""
    match = _FORM.fullmatch(offered)
    return None if match is None else match["id"]


def matches(offered: str, record: ApiKey | None) -> bool:
    """Whether an offered key is the record's.

    The time that this takes depends neither on whether there is a record nor on the guess.
    """
    expected = _NO_HASH if record is None else record.hash
    return hmac.compare_digest(digest(offered), expected) and record is not None


def new_key(
    name: str,
    scopes: frozenset[Scope],
    *,
    collections: frozenset[str] | None = None,
    tenant: str = NO_TENANT,
    rate: float | None = None,
) -> tuple[str, ApiKey]:
    """A new key, which is shown once, and its record. Raises InvalidRequest."""
    for what, value in (("name", name), ("tenant", tenant)):
        if not _NAME.fullmatch(value):
            raise InvalidRequest(
                f"The {what} {value[:80]!r} is not possible: letters, digits, '.', '_' and '-',"
                " at most 64."
            )
    if not scopes:
        raise InvalidRequest(f"A key needs a scope: {', '.join(Scope)}.")
    if rate is not None and not 0 < rate <= 1_000_000:
        raise InvalidRequest("The rate is requests a second, above 0 and at most 1,000,000.")
    for collection in collections or ():
        check_collection_name(collection)
    record = ApiKey(
        secrets.token_hex(8), name, scopes, "", collections=collections, tenant=tenant, rate=rate
    )
    return rotated(record)


def rotated(record: ApiKey) -> tuple[str, ApiKey]:
    """A key with a new secret and its record; id and rights stay, and the old secret becomes
    invalid."""
    key = f"xw_{record.id}_{secrets.token_urlsafe(32)}"
    return key, replace(record, hash=digest(key), created_at=time.time())


def key_of_operator(key: str) -> ApiKey:
    """The record of the key that the gateway's own settings hold; it allows everything."""
    return ApiKey("operator", "operator", frozenset({Scope.ADMIN}), digest(key))
