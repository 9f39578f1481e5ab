"""Answers a repeated, byte-identical search from the local cache before its body is parsed.

Such a hit costs less than the routing and validation of its request. A body and its type alone
decide which search they mean, so that search is remembered; the caller's key and rights, the index
version and the age of the answer are checked for each request. A quick hit is counted in the
metrics and logged at the level DEBUG.
"""

from collections import OrderedDict

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.request_context import Deadline
from services.common.server.replay import replay
from services.gateway.access.keys import ApiKey
from services.gateway.search import render
from services.gateway.search.answers import Ask, Asker
from services.gateway.search.links.cached import Cached
from services.gateway.search.links.observed import Observed
from services.gateway.search.query.search import Search

_PATH = "/v1/search"
_MAX_BODIES = 4_096
_MAX_BODY_BYTES = 4_096
_NO_TIME = Deadline(0.0)

_Sent = tuple[bytes, bytes]
"""The Content-Type and the body of a request."""


class _Route:
    """Stands for the search route in metrics and logs."""

    path = _PATH


class QuickHits:
    """The innermost layer of the gateway: it answers a body that was answered before. The search
    route stores the search that a body means in `request.state.meant`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._searches: OrderedDict[_Sent, Search] = OrderedDict()
        """Searches by what means them, the last stored one at the end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The route refuses parameters, so a call that has some is left to it.
        if (
            scope["type"] != "http"
            or scope["path"] != _PATH
            or scope["method"] != "POST"
            or scope["query_string"]
        ):
            await self.app(scope, receive, send)
            return
        message = await receive()
        body: bytes = message.get("body", b"")  # The gate has read the whole body.
        sent = (_content_type(scope), body)
        response = await self._hit(scope, sent)
        if response is not None:
            scope["route"] = _Route
            scope["quiet"] = True  # A line in the log would cost as much as the hit itself.
            await response(scope, receive, send)
            return
        await self.app(scope, replay(body, receive), send)
        self._remember(scope, sent)

    async def _hit(self, scope: Scope, sent: _Sent) -> Response | None:
        search = self._searches.get(sent)
        if search is None or any(name == b"cache-control" for name, _ in scope["headers"]):
            return None
        caller: ApiKey = scope["state"]["caller"]
        if not caller.sees(search.collection):
            return None
        cached: Cached = scope["state"]["cached"]
        ask = Ask(search, _NO_TIME, Asker(caller.tenant, caller.id))
        answered = await cached.at_once(ask)
        if answered is None:
            return None
        observed: Observed = scope["state"]["answers"]
        observed.note(ask, answered)
        return Response(
            render.answer(ask, answered),
            media_type="application/json",
            headers=render.headers(answered),
        )

    def _remember(self, scope: Scope, sent: _Sent) -> None:
        search: Search | None = scope["state"].get("meant")
        if search is None or sum(map(len, sent)) > _MAX_BODY_BYTES:
            return
        self._searches[sent] = search
        self._searches.move_to_end(sent)
        if len(self._searches) > _MAX_BODIES:
            self._searches.popitem(last=False)


def _content_type(scope: Scope) -> bytes:
    """The declared type of the body, by which the route decides whether it reads that as JSON."""
    return b", ".join(value for name, value in scope["headers"] if name == b"content-type")
