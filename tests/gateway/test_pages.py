"""The pages of a search whose first page was made without a part of the cascade."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from services.common.errors import CursorExpired, Unavailable
from services.common.request_context import Deadline
from services.gateway.search import render
from services.gateway.search.answers import Ask
from services.gateway.search.cascade.cascade import Cascade
from services.gateway.search.cascade.hits import RecallAnswer
from services.gateway.search.cascade.rules import RulesMembers
from services.gateway.search.links.arranging import Arranging
from services.gateway.search.links.kept import Kept
from services.gateway.search.links.key import Keys
from services.gateway.search.links.walks import Walks
from services.gateway.search.query.search import Arrangement, Search
from services.gateway.stores.redis_client import GuardedRedis
from tests.gateway.cascades import CountingRecall, PlainRank, ask, search
from tests.gateway.chains import levels

FACETS = ({"field": "year", "size": 10},)


@dataclass(slots=True)
class SixFound(CountingRecall):
    """Finds six documents."""

    async def recall(
        self,
        search: Search,
        deadline: Deadline,
        *,
        texts: bool,
        version: str | None,
        rules: RulesMembers | None,
    ) -> RecallAnswer:
        every = [(f"d{number}", 1, 1 - number / 10, None, 1.0) for number in range(6)]
        candidates = [{"id": one[0], "version": 1, "title": "", "text": ""} for one in every]
        return RecallAnswer(
            index=self.index,
            candidates=[{**one, "score": 1.0} for one in candidates[: search.top_k]],
            degraded=self.degraded,
            found=len(every),
            every=every,
        )


class NoFields:
    """Recall that does not count the fields of documents in time."""

    async def arrange(
        self,
        arrangement: Arrangement,
        index: str,
        rows: Sequence[tuple[str, int]],
        deadline: Deadline,
        *,
        version: str | None,
    ) -> Mapping[str, Any]:
        raise Unavailable("Fields are away.")

    async def listed(
        self, search: Search, most: int, deadline: Deadline, *, version: str | None
    ) -> Mapping[str, Any]:
        raise Unavailable("Fields are away.")


def page(cursor: str, facets: Sequence[Mapping[str, Any]]) -> Ask:
    arrangement = Arrangement(facets=facets, cursor=cursor)
    return replace(ask(version="v", rules=""), search=search(top_k=2, arrangement=arrangement))


@pytest.mark.parametrize(
    ("lost", "facets", "first", "later"),
    [
        ((), (), [], []),
        (("dense",), (), ["dense"], ["dense"]),
        (("rank",), (), ["rank"], ["rank"]),
        (("lexical", "rank"), (), ["lexical", "rank"], ["lexical", "rank"]),
        (("boosts",), FACETS, ["boosts", "facets"], ["boosts"]),
        ((), FACETS, ["facets"], []),
    ],
)
async def test_every_page_names_what_its_order_was_made_without(
    redis: GuardedRedis,
    keys: Keys,
    lost: Sequence[str],
    facets: Sequence[Mapping[str, Any]],
    first: list[str],
    later: list[str],
) -> None:
    """And is kept by the cache only if nothing is missing from it."""
    cache = levels(redis)
    ranker = PlainRank(Unavailable("away") if "rank" in lost else None)
    recall = SixFound(degraded=[part for part in lost if part != "rank"])
    arranging = Arranging(Cascade(recall, ranker, 0.85), NoFields(), Walks(cache, 900))
    kept = Kept(arranging, cache, keys)
    cursor, seen = "*", list[str]()
    for wanted in (first, later, later):
        asked = page(cursor, facets)
        before = len(cache.local)
        answered = await kept.answer(asked)
        assert list(answered.degraded) == wanted
        walks = 1 if cursor == "*" else 0
        assert len(cache.local) - before - walks == (0 if wanted else 1)
        shown = json.loads(render.answer(asked, answered))
        assert shown["degraded"] == wanted
        seen += [hit["id"] for hit in shown["hits"]]
        cursor = shown["next_cursor"]
    assert cursor is None
    assert sorted(seen) == [f"d{number}" for number in range(6)]


class Uncounted(NoFields):
    """Recall that lists documents and cannot count them in time."""

    async def listed(
        self, search: Search, most: int, deadline: Deadline, *, version: str | None
    ) -> Mapping[str, Any]:
        ids = [f"d{number}" for number in range(min(most, 6))]
        uncounted = {"facets": None, "groups": None, "distinct_groups": None}
        return {"index": "notes__1", "total": 6, "ids": ids, **uncounted}


async def test_a_list_without_its_counts_is_answered_and_says_so(redis: GuardedRedis) -> None:
    cascade = Cascade(SixFound(), PlainRank(), 0.85)
    arranging = Arranging(cascade, Uncounted(), Walks(levels(redis), 900))
    asked = page("*", FACETS)
    asked = replace(asked, search=replace(asked.search, query=""))
    shown = json.loads(render.answer(asked, await arranging.answer(asked)))
    assert ([hit["id"] for hit in shown["hits"]], shown["total"]) == (["d0", "d1"], 6)
    assert (shown["degraded"], shown.get("facets")) == (["facets"], None)


@dataclass
class Rules:
    """Rules that hide documents of every query, or that cannot be read."""

    hidden: Sequence[str] = ()
    away: bool = False

    async def of(self, search: Search, version: str | None) -> RulesMembers | None:
        if self.away:
            raise Unavailable("away")
        return {"hidden": self.hidden} if self.hidden else None


async def test_a_page_shows_nothing_that_was_hidden_since_the_first(redis: GuardedRedis) -> None:
    """A change of the rules takes effect at once, also for the pages of a search that is read."""
    rules = Rules()
    cascade = Cascade(SixFound(), PlainRank(), 0.85, rules)
    arranging = Arranging(cascade, NoFields(), Walks(levels(redis), 900))

    async def answer(cursor: str) -> dict[str, Any]:
        asked = page(cursor, ())
        return dict(json.loads(render.answer(asked, await arranging.answer(asked))))

    def ids(answer: dict[str, Any]) -> list[str]:
        return [hit["id"] for hit in answer["hits"]]

    first = await answer("*")
    second = await answer(first["next_cursor"])
    gone, left = ids(second)
    rules.hidden = [gone]
    again = await answer(first["next_cursor"])
    assert (ids(again), again["next_cursor"]) == ([left], second["next_cursor"])
    rules.away = True
    again = await answer(first["next_cursor"])
    assert (ids(again), again["degraded"]) == ([gone, left], ["rules"])


def packed(members: Any) -> bytes:
    return zlib.compress(json.dumps(members).encode())


async def begun(
    redis: GuardedRedis, stored: Callable[[dict[str, Any]], bytes]
) -> tuple[Arranging, str]:
    """What answers pages, and the cursor of a second one, whose walk another release stored in this
    form of its members."""
    cache = levels(redis)
    arranging = Arranging(Cascade(SixFound(), PlainRank(), 0.85), NoFields(), Walks(cache, 900))
    asked = page("*", ())
    cursor = json.loads(render.answer(asked, await arranging.answer(asked)))["next_cursor"]
    key = f"walk:{cursor.split('.')[0]}"
    entry = cache.local.get(key)
    assert entry is not None
    members: dict[str, Any] = json.loads(zlib.decompress(entry.body))
    cache.local.put(key, replace(entry, body=stored(members)))
    return arranging, cursor


async def test_a_walk_that_does_not_say_what_was_lost_goes_on(redis: GuardedRedis) -> None:
    """A replica of another release may have stored it."""

    def stored(members: dict[str, Any]) -> bytes:
        members.pop("degraded", None)
        return packed(members)

    arranging, cursor = await begun(redis, stored)
    assert list((await arranging.answer(page(cursor, ()))).degraded) == []


@pytest.mark.parametrize(
    "stored",
    [
        lambda members: packed({**members, "newer": 1}),
        lambda members: packed({**members, "rows": [[*row, 1] for row in members["rows"]]}),
        lambda members: packed({**members, "rows": 1}),
        lambda members: packed([*members]),
        lambda _: zlib.compress(b"{"),
        lambda _: b"another compression",
    ],
    ids=["a new member", "longer rows", "no rows", "a list", "no JSON", "no zlib"],
)
async def test_a_walk_that_cannot_be_read_is_no_longer_kept(
    redis: GuardedRedis, stored: Callable[[dict[str, Any]], bytes]
) -> None:
    """A replica of a later release may have stored it; it was answered with 500."""
    arranging, cursor = await begun(redis, stored)
    with pytest.raises(CursorExpired):
        await arranging.answer(page(cursor, ()))
