"""What every request passes before a route sees it: load, key, body. Refusals are problem+json."""

import logging
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.errors import InvalidRequest, Overloaded, SearchError, Unavailable
from services.common.problem import problem_response
from services.common.replay import replay
from services.common.request_context import request_id_var
from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.doorkeeper import EVERYBODY, Doorkeeper
from services.gateway.access.keys import ApiKey
from services.gateway.access.keystore import KeyStore
from services.gateway.access.rights import is_audited, needs_key

audit = logging.getLogger("services.audit")

_UPLOAD = "/v1/index-jobs"


class Gate:
    """Puts the caller's key into `request.state.caller`."""

    def __init__(self, app: ASGIApp, *, limits: BodyLimits, max_requests: int) -> None:
        self.app = app
        self._limits = limits
        self._max_requests = max_requests
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not needs_key(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        self._requests += 1
        try:
            passed = await self._passed(scope, headers, receive)
        except SearchError as error:
            await problem_response(error)(scope, receive, send)
        else:
            await self.app(scope, passed, send)
        finally:
            self._requests -= 1

    async def _passed(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """How the route receives the body. Raises what is wrong with the request."""
        if self._requests > self._max_requests:
            raise Overloaded("Too many requests at once; try again shortly.", retry_after=1)
        method, path = scope["method"], scope["path"]
        doorkeeper: Doorkeeper | None = scope["state"].get("doorkeeper")
        caller = EVERYBODY
        if doorkeeper is not None:
            caller = await doorkeeper.admit(headers.get("authorization"), method, path)
        scope["state"]["caller"] = caller
        _check_parameters(scope["query_string"])
        if is_audited(method, path):
            await _note(caller, scope)
        if method not in ("POST", "PUT", "PATCH", "DELETE"):
            return receive
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if path == _UPLOAD and kind != "application/json":
            return self._limits.streamed(headers, receive)
        return replay(await self._limits.whole(headers, receive), receive)


def _check_parameters(query_string: bytes) -> None:
    """No parameter takes several values: of two, a caller would not know which one counted."""
    if b"&" not in query_string:
        return
    seen: set[str] = set()
    for name, _ in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        if name in seen:
            raise InvalidRequest(f"{name[:80]!r} is given more than once; send it once.")
        seen.add(name)


async def _note(caller: ApiKey, scope: Scope) -> None:
    """Into the log of this process and, where it answers, into the state store's."""
    event = {
        "action": f"{scope['method']} {scope['path']}",
        "by": caller.name,
        "key": caller.id,
        "from": (scope.get("client") or ("-",))[0],
        "request": request_id_var.get(),
    }
    audit.info("admin action", extra=event)
    keystore: KeyStore = scope["state"]["keystore"]
    try:
        await keystore.note(event)
    except Unavailable:
        audit.warning("the audit log of the state store was not written", extra=event)
