"""Stores the query rules of collections in the state Redis, after checking them."""

import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from redis.asyncio import Redis

from services.common.errors import Conflict, InvalidRequest, QueueUnavailable
from services.common.redis.client import FAILURES, of_another_type
from services.common.text.analyzer import compared
from services.common.wire.query_rules import (
    QueryRules,
    QueryRulesUpdate,
    StoredRules,
    rules_key,
    rules_version_key,
)
from services.indexer.damage import readable

MAX_BYTES = 2 * 1024 * 1024
"""Most bytes of all rules of a collection as JSON; each gateway reads them whole after a change."""

_REPLICA_MILLISECONDS = 1_000
"""Longest time that a change waits for a replica to have it."""

# Rules and version change together, and only if nobody else changed them since they were read.
_REPLACE = """
if ARGV[1] ~= '*' and (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('MSET', KEYS[1], ARGV[3], KEYS[2], ARGV[2])
return 1
"""


class QueryRulesStore:
    """The rules of each collection. Every method raises QueueUnavailable while Redis is away."""

    def __init__(self, redis: Redis, *, replicated: bool = False) -> None:
        """`replicated` means that a replica may take the place of the server."""
        self._redis = redis
        self._replicated = replicated

    async def read(self, collection: str) -> StoredRules:
        """The rules of a collection; empty if none were set. Raises StorageDamaged."""
        with _readable(collection):
            packed = await self._ask(self._redis.get(rules_key(collection)))
            return StoredRules() if packed is None else StoredRules.model_validate_json(packed)

    async def write(self, collection: str, update: QueryRulesUpdate) -> str:
        """Replaces the rules of a collection by checked ones; returns their version.

        Raises Conflict if they were changed since the version that the update is based on, and
        StorageDamaged if that cannot be told.
        """
        version = f"{time.time_ns():016x}"
        stored = StoredRules(**{**dict(update), "version": version})
        content = stored.model_dump_json(exclude_none=True).encode()
        if len(content) > MAX_BYTES:
            raise InvalidRequest(
                f"The rules have {len(content):,} bytes as JSON, at most {MAX_BYTES:,} fit."
            )
        based_on = "*" if update.version is None else update.version
        keys = [rules_key(collection), rules_version_key(collection)]
        pipe = self._redis.pipeline(transaction=False)
        pipe.eval(_REPLACE, 2, *keys, based_on, version, content)
        if self._replicated:
            # WAIT is in this pipeline, since it waits for writes of its connection alone.
            pipe.wait(1, _REPLICA_MILLISECONDS)
        with _readable(collection):
            replaced, *replicas = await self._ask(pipe.execute())
        if not replaced:
            raise Conflict(
                "The query rules were changed since they were read; read them again and repeat the"
                " change."
            )
        if replicas == [0]:
            raise QueueUnavailable(
                "The change is stored, but no replica of the state Redis has it yet, so that a"
                " failover would lose it; repeat it shortly.",
                retry_after=2,
            )
        return version

    async def _ask(self, command: Any) -> Any:
        """The result of a command. Raises TypeError for a stored value of another type."""
        try:
            return await command
        except FAILURES as error:
            if of_another_type(error):
                raise TypeError("a value of another type is stored") from error
            raise QueueUnavailable(
                "The state Redis does not answer; try again shortly.", retry_after=2
            ) from error


def _readable(collection: str) -> AbstractContextManager[None]:
    """A block that reads what is stored of the rules of a collection. Raises StorageDamaged."""
    return readable(
        f"The set of query rules of collection {collection!r}",
        rules_key(collection),
        remedy=f"Set them again with PUT /v1/collections/{collection}/query-rules, without"
        " `version`.",
    )


def check_rules(rules: QueryRules) -> None:
    """Raises InvalidRequest for words that no search has, and for words or queries that searches
    cannot tell apart."""
    for place, group in enumerate(rules.synonyms):
        _check_words([*group.words, *(group.also or [])], f"synonyms.{place}")
    _check_words(rules.stop_words, "stop_words")
    _check_words([one.query for one in rules.queries], "queries", apart="")


def ids_of(rules: QueryRules) -> list[str]:
    """The ids that the rules name, each once."""
    named: Iterable[Sequence[str]] = ([*one.pinned, *one.hidden] for one in rules.queries)
    return list(dict.fromkeys(identity for ids in named for identity in ids))


def _check_words(words: Sequence[str], where: str, apart: str = " ") -> None:
    """Raises InvalidRequest for such words; `apart` replaces a space when two words are
    compared."""
    seen: dict[str, str] = {}
    for word in words:
        form = compared(word).replace(" ", apart)
        if not any(map(str.isalnum, form)):
            raise InvalidRequest(
                f"{where}: {word[:40]!r} holds no letter, digit or Chinese character, so no query"
                " is looked up by it."
            )
        if form in seen:
            raise InvalidRequest(
                f"{where}: {seen[form][:40]!r} and {word[:40]!r} are the same to a search; leave"
                " one of them out."
            )
        seen[form] = word
