"""API keys: what they look like, what is kept of them, what they allow. Pure.

A key is `xw_<id>_<secret>`; the id finds the record, the secret proves it. The secret is 256 random
bits, so one SHA-256 of it is the right hash: there is no dictionary to try and no guess to slow
down, which is all that bcrypt and its like are for, and they would cost each request their time.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum

import orjson

from services.common.collection import check_collection_name
from services.common.errors import InvalidRequest

_FORM = re.compile(r"xw_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Scope(StrEnum):
    """What a key may do. ADMIN includes the others; INDEX and SEARCH do not include each other."""

    SEARCH = "search"
    INDEX = "index"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The record of a key, without its secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    hash: str
    """SHA-256 of the whole key, hex digits."""
    collections: frozenset[str] | None = None
    """The only ones it sees; None for all."""
    tenant: str = "-"
    """Keys of one tenant share cached answers."""
    rate: float | None = None
    """Requests a second, on average; None without a limit."""
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, collection: str) -> bool:
        return self.collections is None or collection in self.collections

    def pack(self) -> bytes:
        return orjson.dumps(
            {
                "name": self.name,
                "scopes": sorted(self.scopes),
                "hash": self.hash,
                "collections": None if self.collections is None else sorted(self.collections),
                "tenant": self.tenant,
                "rate": self.rate,
                "created_at": self.created_at,
            }
        )

    @classmethod
    def unpack(cls, key: str, packed: bytes) -> "ApiKey":
        read = orjson.loads(packed)
        only = read["collections"]
        return cls(
            id=key,
            name=read["name"],
            scopes=frozenset(map(Scope, read["scopes"])),
            hash=read["hash"],
            collections=None if only is None else frozenset(only),
            tenant=read["tenant"],
            rate=read["rate"],
            created_at=read["created_at"],
        )


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


_NO_HASH = digest("")


def key_id(offered: str) -> str | None:
    """The id within an offered key; None when it has not the form of a key."""
    match = _FORM.fullmatch(offered)
    return None if match is None else match["id"]


def matches(offered: str, record: ApiKey | None) -> bool:
    """Compares in a time that depends neither on the record's existence nor on the guess."""
    expected = _NO_HASH if record is None else record.hash
    return hmac.compare_digest(digest(offered), expected) and record is not None


def new_key(
    name: str,
    scopes: frozenset[Scope],
    *,
    collections: frozenset[str] | None = None,
    tenant: str = "-",
    rate: float | None = None,
) -> tuple[str, ApiKey]:
    """The key, to be shown once, and its record. Raises InvalidRequest."""
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
    """A new secret for the same id and rights; the old one ends."""
    key = f"xw_{record.id}_{secrets.token_urlsafe(32)}"
    return key, replace(record, hash=digest(key), created_at=time.time())


def key_of_operator(key: str) -> ApiKey:
    """The key that the gateway's own settings hold: it may do everything, from the start."""
    return ApiKey("operator", "operator", frozenset({Scope.ADMIN}), digest(key))
