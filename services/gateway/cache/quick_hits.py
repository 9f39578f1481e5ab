"""A search that was answered before, in the very same bytes, is answered before it is parsed.

A hit costs less than routing and validating its request does. What a body means depends on nothing
but the body, so the search it stood for is remembered; key, rights, index version and freshness
are looked at for each request as ever. Such a hit is counted, and logged at the level DEBUG.
"""

from collections import OrderedDict

from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.replay import replay
from services.gateway.access.keys import ApiKey
from services.gateway.answering import Served
from services.gateway.cache.policy import canonical
from services.gateway.domain import Search
from services.gateway.searcher import Asker, Searcher

_PATH = "/v1/search"
_MAX_BODIES = 4_096
_MAX_BODY_BYTES = 4_096


class _Route:
    """By which metrics and logs name the request."""

    path = _PATH


class QuickHits:
    """The innermost layer; a route says what a body meant by `request.state.asked`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._meant: OrderedDict[bytes, tuple[Search, bytes]] = OrderedDict()
        """The search and its canonical bytes, by body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        message = await receive()
        body: bytes = message.get("body", b"")  # whole: the gate has read it
        served = await self._hit(scope, body)
        if served is not None:
            scope["route"] = _Route
            scope["quiet"] = True  # a line in the log costs as much again; metrics count it
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-length", str(len(served.body)).encode()),
                        (b"content-type", b"application/json"),
                        *(
                            (name.lower().encode(), value.encode())
                            for name, value in served.headers
                        ),
                    ],
                }
            )
            await send({"type": "http.response.body", "body": served.body})
            return
        await self.app(scope, replay(body, receive), send)
        self._remember(scope, body)

    async def _hit(self, scope: Scope, body: bytes) -> Served | None:
        meant = self._meant.get(body)
        if meant is None or any(name == b"cache-control" for name, _ in scope["headers"]):
            return None
        search, members = meant
        caller: ApiKey = scope["state"]["caller"]
        searcher: Searcher = scope["state"]["searcher"]
        if not caller.sees(search.collection):
            return None
        return await searcher.hit(search, members, Asker(caller.tenant, caller.id))

    def _remember(self, scope: Scope, body: bytes) -> None:
        asked: Search | None = scope["state"].get("asked")
        if asked is None or len(body) > _MAX_BODY_BYTES:
            return
        self._meant[body] = (asked, canonical(asked))
        self._meant.move_to_end(body)
        if len(self._meant) > _MAX_BODIES:
            self._meant.popitem(last=False)
