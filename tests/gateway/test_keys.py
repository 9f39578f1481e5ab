"""Keys: their form, what is kept of them, what they allow, and their store."""

import asyncio
import time
from dataclasses import fields, replace
from typing import Any

import orjson
import pytest

from services.common.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from services.gateway.access.doorkeeper import Doorkeeper
from services.gateway.access.keys import ApiKey, Scope, key_id, matches, new_key, rotated
from services.gateway.access.keystore import KEY_PREFIX, KeyStore
from services.gateway.access.rate_limit import RateLimiter
from services.gateway.stores.redis_client import GuardedRedis
from services.gateway.stores.state_reader import StateReader

SEARCH = frozenset({Scope.SEARCH})


def bearer(key: str) -> str:
    return f"Bearer {key}"


def test_a_key_holds_256_bits_and_its_record_does_not_hold_it() -> None:
    key, record = new_key("reader", SEARCH)
    secret = key.rsplit("_", 1)[0] and key[len(f"xw_{record.id}_") :]
    assert len(secret) == 43  # 32 bytes in base64
    assert key_id(key) == record.id
    assert secret.encode() not in record.pack()
    assert ApiKey.unpack(record.id, record.pack()) == record


def test_all_members_of_a_record_are_stored() -> None:
    scopes = frozenset(Scope)
    seen = frozenset({"one", "two"})
    _, record = new_key("reader", scopes, collections=seen, tenant="house", rate=2.5)
    stored = orjson.loads(record.pack())
    assert {"id", *stored} == {member.name for member in fields(record)}
    assert (stored["scopes"], stored["collections"]) == (sorted(scopes), sorted(seen))
    assert ApiKey.unpack(record.id, record.pack()) == record


def test_only_the_very_key_matches() -> None:
    key, record = new_key("reader", SEARCH)
    assert matches(key, record)
    assert not matches(key[:-1] + ("a" if key[-1] != "a" else "b"), record)
    assert not matches(key, None)
    renewed, rotated_record = rotated(record)
    assert (matches(renewed, rotated_record), matches(key, rotated_record)) == (True, False)


@pytest.mark.parametrize("offered", ["", "xw_", "xw_0123_x", "xw_" + "0" * 16 + "_" + "é" * 43])
def test_what_has_not_the_form_of_a_key_has_no_id(offered: str) -> None:
    assert key_id(offered) is None


@pytest.mark.parametrize(
    ("name", "scopes", "more"),
    [
        ("", SEARCH, {}),
        ("a b", SEARCH, {}),
        ("a", frozenset(), {}),
        ("a", SEARCH, {"rate": 0}),
        ("a", SEARCH, {"collections": frozenset({"A B"})}),
        ("a", SEARCH, {"tenant": "\n"}),
    ],
)
def test_impossible_keys(name: str, scopes: frozenset[Scope], more: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        new_key(name, scopes, **more)  # type: ignore[arg-type]


def test_admin_includes_the_others_and_they_do_not_include_each_other() -> None:
    _, admin = new_key("a", frozenset({Scope.ADMIN}))
    _, index = new_key("i", frozenset({Scope.INDEX}))
    assert all(admin.allows(scope) for scope in Scope)
    assert [index.allows(scope) for scope in Scope] == [False, True, False]


async def test_the_store_keeps_lists_rotates_and_revokes(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    key, record = new_key("reader", SEARCH, rate=5, collections=frozenset({"notes"}))
    await store.add(record, by="test")
    assert await store.all() == [record]
    raw: Any = await redis.redis.get(KEY_PREFIX + record.id)
    assert key.encode() not in raw
    renewed, after = await store.rotate("reader", by="test")
    assert renewed != key
    assert (after.id, after.rate, after.collections) == (record.id, 5, frozenset({"notes"}))
    assert (await store.revoke(record.id, by="test")).id == record.id
    assert await store.all() == []
    with pytest.raises(NotFound):
        await store.revoke("reader", by="test")
    actions = [event["action"] for event in await store.audit(10)]
    assert actions == ["key revoked", "key rotated", "key created"]


async def test_a_name_of_several_keys_names_none(redis: GuardedRedis) -> None:
    """Two that were made at once have it; one of them would stay valid without a word."""
    store = KeyStore(redis)
    twins = [new_key("reader", SEARCH)[1] for _ in range(2)]
    for record in twins:
        await store.add(record, by="test")
    for change in (store.revoke, store.rotate):
        with pytest.raises(Conflict) as refused:
            await change("reader", by="test")
        assert all(record.id in refused.value.detail for record in twins)
    await store.revoke(twins[0].id, by="test")
    assert (await store.revoke("reader", by="test")).id == twins[1].id


async def test_an_id_goes_before_the_name_of_an_older_key(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    _, record = new_key("reader", SEARCH)
    named = replace(new_key(record.id, SEARCH)[1], created_at=0.0)
    for each in (named, record):
        await store.add(each, by="test")
    assert (await store.revoke(record.id, by="test")).id == record.id
    assert await store.all() == [named]


class Overtaken(KeyStore):
    """A store in which another operator revokes a key as soon as it was found."""

    async def find(self, id_or_name: str) -> ApiKey:
        found = await super().find(id_or_name)
        await KeyStore(self.state).revoke(found.id, by="other")
        return found


async def test_a_key_that_is_revoked_while_it_is_rotated_stays_revoked(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    _, record = new_key("reader", SEARCH)
    await store.add(record, by="test")
    with pytest.raises(NotFound):
        await Overtaken(redis).rotate("reader", by="test")
    assert await store.all() == []
    assert await redis.redis.get(KEY_PREFIX + record.id) is None
    assert [event["action"] for event in await store.audit(10)] == ["key revoked", "key created"]


async def test_of_two_rotations_at_once_the_last_key_is_valid(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    _, record = new_key("reader", SEARCH)
    await store.add(record, by="test")
    made = await asyncio.gather(*(store.rotate("reader", by="test") for _ in range(5)))
    (left,) = await store.all()
    assert [matches(key, left) for key, _ in made].count(True) == 1


async def test_a_scope_of_a_later_release_stays_and_allows_nothing_here(
    redis: GuardedRedis,
) -> None:
    """Both releases work on the same store during an upgrade, and after a return to this one."""
    store = KeyStore(redis)
    key, record = new_key("later", SEARCH)
    stored = orjson.loads(record.pack()) | {"scopes": ["search", "teleport"]}
    await store.add(record, by="test")
    await redis.redis.set(KEY_PREFIX + record.id, orjson.dumps(stored))
    door = Doorkeeper(StateReader(redis), RateLimiter(redis))
    assert (await door.admit(bearer(key), "POST", "/v1/search")).id == record.id
    with pytest.raises(Forbidden, match="scope 'index'; yours has search, teleport"):
        await door.admit(bearer(key), "POST", "/v1/index-jobs")
    _, renewed = await store.rotate("later", by="test")
    assert await store.all() == [renewed]
    assert renewed.scopes == {"search", "teleport"}


async def test_a_revoked_key_ends_with_the_next_request(redis: GuardedRedis) -> None:
    store = KeyStore(redis)
    door = Doorkeeper(StateReader(redis), RateLimiter(redis))
    key, record = new_key("reader", SEARCH)
    await store.add(record, by="test")
    assert (await door.admit(bearer(key), "POST", "/v1/search")).id == record.id
    with pytest.raises(Forbidden, match="scope 'index'"):
        await door.admit(bearer(key), "POST", "/v1/index-jobs")
    for method, path in (("POST", "/v1/searches"), ("PATCH", "/v1/search"), ("GET", "/nowhere")):
        with pytest.raises(Forbidden, match=f"No key may call {method} {path}"):
            await door.admit(bearer(key), method, path)
    await store.revoke(record.id, by="test")
    with pytest.raises(Unauthenticated):
        await door.admit(bearer(key), "POST", "/v1/search")


@pytest.mark.parametrize("offered", [None, "", "Basic abc", "Bearer", "Bearer nonsense"])
async def test_without_a_key_nobody_enters(redis: GuardedRedis, offered: str | None) -> None:
    door = Doorkeeper(StateReader(redis), RateLimiter(redis), operator_key="k" * 32)
    with pytest.raises(Unauthenticated):
        await door.admit(offered, "POST", "/v1/search")
    caller = await door.admit(bearer("k" * 32), "DELETE", "/v1/collections/notes")
    assert caller.name == "operator"


async def test_known_keys_outlive_the_state_store(
    redis: GuardedRedis, dead_redis: GuardedRedis
) -> None:
    key, record = new_key("reader", SEARCH)
    await KeyStore(redis).add(record, by="test")
    door = Doorkeeper(StateReader(redis), RateLimiter(redis))
    await door.admit(bearer(key), "POST", "/v1/search")
    door.reader = StateReader(dead_redis)
    assert (await door.admit(bearer(key), "POST", "/v1/search")).id == record.id
    stranger, _ = new_key("stranger", SEARCH)
    with pytest.raises(Unavailable):
        await door.admit(bearer(stranger), "POST", "/v1/search")


async def test_a_revoked_key_stays_out_while_the_state_store_is_away(
    redis: GuardedRedis, dead_redis: GuardedRedis
) -> None:
    key, record = new_key("reader", SEARCH)
    store, door = KeyStore(redis), Doorkeeper(StateReader(redis), RateLimiter(redis))
    await store.add(record, by="test")
    await door.admit(bearer(key), "POST", "/v1/search")
    await store.revoke(record.id, by="test")
    with pytest.raises(Unauthenticated):
        await door.admit(bearer(key), "POST", "/v1/search")
    door.reader = StateReader(dead_redis)
    with pytest.raises(Unavailable):
        await door.admit(bearer(key), "POST", "/v1/search")


async def admitted(limiter: RateLimiter, attempts: int) -> int:
    waits: list[float | None] = []
    for _ in range(attempts):
        try:
            await limiter.admit("key", 0.5)
        except RateLimited as refused:
            waits.append(refused.retry_after)
    assert all(wait is not None and 0 < wait <= 2 for wait in waits)
    return attempts - len(waits)


async def test_the_rate_holds_over_replicas(redis: GuardedRedis) -> None:
    one, other = RateLimiter(redis), RateLimiter(redis)
    assert await admitted(one, 5) + await admitted(other, 5) == 1


@pytest.mark.parametrize("rate", [0.001, 0.02, 5.0])
async def test_a_rate_is_remembered_until_the_next_request_is_due(
    redis: GuardedRedis, rate: float
) -> None:
    limiter = RateLimiter(redis)
    await limiter.admit("slow", rate)
    (kept,) = await redis.redis.keys("*slow")
    left = await redis.redis.pttl(kept) / 1000
    assert 1 / rate - 1 < left <= 1 / rate + 0.001


async def test_without_redis_each_replica_limits_by_itself(dead_redis: GuardedRedis) -> None:
    assert await admitted(RateLimiter(dead_redis), 10) == 1


@pytest.mark.parametrize("away", [False, True])
async def test_a_burst_of_two_seconds_is_admitted_and_no_more(
    redis: GuardedRedis, dead_redis: GuardedRedis, away: bool
) -> None:
    limiter, began = RateLimiter(dead_redis if away else redis), time.monotonic()
    for _ in range(20):
        await limiter.admit("burst", 10)
    asked = (limiter.admit("burst", 10) for _ in range(100))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)  # all end before Redis closes
    refused = [one for one in outcomes if isinstance(one, RateLimited)]
    assert len(outcomes) - len(refused) <= 10 * (time.monotonic() - began) + 1
    assert refused
