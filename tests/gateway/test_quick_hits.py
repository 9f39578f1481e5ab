"""Which requests are answered before their route is asked."""

from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.access.keys import ApiKey
from services.gateway.access.keys import Scope as Right
from services.gateway.search.answers import Answered, Ask, CacheState
from services.gateway.search.quick_hits import QuickHits
from tests.gateway.cascades import search

BODY = b'{"query": "x"}'


def key(*collections: str, tenant: str = "-") -> ApiKey:
    """A key that may search these collections."""
    return ApiKey(
        "k", "k", frozenset({Right.SEARCH}), "", collections=frozenset(collections), tenant=tenant
    )


@dataclass
class Cache:
    """A cache that has every answer for these tenants, and notes what is asked and told of."""

    tenants: tuple[str, ...] = ("-",)
    asked: list[str] = field(default_factory=list)
    """Tenant of each search that was looked up."""
    noted: int = 0

    async def at_once(self, ask: Ask) -> Answered | None:
        self.asked.append(ask.asker.tenant)
        if ask.asker.tenant not in self.tenants:
            return None
        return Answered(b'{"hits":[]', "notes__1", state=CacheState.HIT, age=7.5)

    def note(self, _ask: Ask, _answered: Answered) -> None:
        self.noted += 1


@dataclass
class Gateway:
    """The layer before a route that says what each body means."""

    cache: Cache = field(default_factory=Cache)
    routed: list[bytes] = field(default_factory=list)
    """The bodies that came to the route."""
    meant: bool = True
    """Whether the route remembers what a body means."""

    def __post_init__(self) -> None:
        self.quick = QuickHits(self._route)

    async def _route(self, scope: Scope, receive: Receive, _send: Send) -> None:
        self.routed.append((await receive())["body"])
        if self.meant:
            scope["state"]["meant"] = search("冻土")

    async def call(
        self, body: bytes = BODY, caller: ApiKey = EVERYBODY, **members: Any
    ) -> list[Message]:
        """What a request is answered with, before the route or by nobody."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/v1/search",
            "query_string": b"",
            "headers": [],
            "state": {"caller": caller, "cached": self.cache, "answers": self.cache},
        }
        await self.quick(scope | members, receive, send)
        return sent


async def test_the_same_bytes_are_answered_from_memory() -> None:
    gateway = Gateway()
    assert await gateway.call() == []
    head, body = await gateway.call()
    headers = dict(head["headers"])
    assert (head["status"], headers[b"x-cache"], headers[b"age"]) == (200, b"HIT", b"7")
    answer = orjson.loads(body["body"])
    assert (answer["hits"], answer["cached"], answer["degraded"]) == ([], True, [])
    assert (gateway.routed, gateway.cache.noted) == ([BODY], 1)
    assert await gateway.call(b'{"query":"x"}') == []
    assert gateway.routed == [BODY, b'{"query":"x"}']


@pytest.mark.parametrize(
    "members",
    [
        {"query_string": b"top_k=3"},
        {"method": "GET"},
        {"path": "/v1/search:batch"},
        {"headers": [(b"cache-control", b"no-cache")]},
        {"headers": [(b"accept", b"*/*"), (b"cache-control", b"no-store")]},
        {"headers": [(b"content-type", b"text/plain")]},
        {"caller": key("others")},
        {"caller": key()},
    ],
)
async def test_what_is_left_to_the_route(members: dict[str, Any]) -> None:
    """Parameters and types that it refuses; wishes about the cache; keys that do not see the
    collection."""
    gateway = Gateway()
    await gateway.call()
    assert await gateway.call(**members) == []
    assert gateway.routed == [BODY, BODY]
    assert (gateway.cache.asked, gateway.cache.noted) == ([], 0)


async def test_an_answer_of_one_tenant_is_none_of_another() -> None:
    gateway = Gateway(Cache(tenants=("one",)))
    await gateway.call()
    assert len(await gateway.call(caller=key("notes", tenant="one"))) == 2
    assert await gateway.call(caller=key("notes", tenant="two")) == []
    assert gateway.cache.asked == ["one", "two"]
    assert gateway.routed == [BODY, BODY]


@pytest.mark.parametrize(
    ("body", "meant"), [(b'{"query": "%s"}' % (b"x" * 4_096), True), (BODY, False)]
)
async def test_what_is_not_remembered(body: bytes, meant: bool) -> None:
    """A long body, and one whose meaning may change, as with operators."""
    gateway = Gateway(meant=meant)
    for _ in range(2):
        assert await gateway.call(body) == []
    assert (gateway.routed, gateway.cache.asked) == ([body, body], [])


async def test_the_memory_of_bodies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.search.quick_hits._MAX_BODIES", 2)
    gateway = Gateway()
    bodies = [b'{"query": "%d"}' % number for number in range(3)]
    for body in bodies:
        await gateway.call(body)
    assert [len(await gateway.call(body)) for body in bodies[::-1]] == [2, 2, 0]
