"""Which requests are answered before their route is asked."""

from typing import Any

from starlette.types import Message, Receive, Scope, Send

from services.gateway.access.doorkeeper import EVERYBODY
from services.gateway.search.quick_hits import QuickHits
from tests.gateway.cascades import search


class NothingCached:
    """A cache without answers; `asked` counts the searches that were looked up."""

    asked = 0

    async def at_once(self, _ask: object) -> None:
        self.asked += 1


async def test_a_search_with_parameters_is_left_to_its_route_which_refuses_them() -> None:
    reached: list[bytes] = []
    cached = NothingCached()

    async def route(scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(scope["query_string"])
        scope["state"]["meant"] = search("冻土")

    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"query": "x"}', "more_body": False}

    async def send(_message: Message) -> None:
        raise AssertionError("nothing is cached, and this route does not answer")

    quick = QuickHits(route)
    for query, looked_up in ((b"", 0), (b"", 1), (b"top_k=3", 1)):
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/v1/search",
            "query_string": query,
            "headers": [],
            "state": {"caller": EVERYBODY, "cached": cached},
        }
        await quick(scope, receive, send)
        assert cached.asked == looked_up
    assert reached == [b"", b"", b"top_k=3"]
