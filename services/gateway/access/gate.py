"""Checks each request before a route sees it: its address, load, key and body.

A refusal is an answer as problem+json.
"""

import logging
from contextlib import AsyncExitStack
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.common.errors import (
    Forbidden,
    InvalidRequest,
    MalformedRequest,
    Overloaded,
    SearchError,
    StorageDamaged,
    Unavailable,
)
from services.common.request_context import request_id_var
from services.common.server.foreign_pages import ForeignPages
from services.common.server.problem import problem_response
from services.common.server.replay import replay
from services.gateway.access.body_limits import BodyLimits, is_inline
from services.gateway.access.doorkeeper import EVERYBODY, Doorkeeper
from services.gateway.access.keys import ApiKey
from services.gateway.access.keystore import KeyStore
from services.gateway.access.rights import is_audited, needs_key, rule_of

audit = logging.getLogger("services.audit")

_UPLOAD = "/v1/index-jobs"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOTED = 200
"""Characters of an address that the audit log keeps; no valid one of an audited call is longer."""


class Gate:
    """The layer before all routes. It puts the caller's key into `request.state.caller`."""

    def __init__(
        self, app: ASGIApp, *, limits: BodyLimits, max_requests: int, pages: ForeignPages
    ) -> None:
        """`pages` tells calls that are refused if no keys are asked for."""
        self.app = app
        self._limits = limits
        self._max_requests = max_requests
        self._pages = pages
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not needs_key(scope["path"]):
            await self.app(scope, receive, send)
            return
        self._requests += 1
        try:
            async with AsyncExitStack() as request:
                await self._answer(scope, receive, send, request)
        finally:
            self._requests -= 1

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, request: AsyncExitStack
    ) -> None:
        try:
            passed = await self._passed(scope, receive, request)
        except SearchError as error:
            if error.status >= 500:
                # The metrics count it as a failure of the route, by which alerts look for failures.
                scope["route"] = rule_of(scope["method"], scope["path"])
            await problem_response(error)(scope, receive, send)
        else:
            await self.app(scope, passed, send)

    async def _passed(self, scope: Scope, receive: Receive, request: AsyncExitStack) -> Receive:
        """A receiver of the body for the route; a body in memory counts until `request` is closed.
        Raises the error that refuses the request."""
        headers = Headers(scope=scope)
        _check_address(scope)
        if self._requests > self._max_requests:
            raise Overloaded("Too many requests at once; try again shortly.", retry_after=1)
        method, path = scope["method"], scope["path"]
        doorkeeper: Doorkeeper | None = scope["state"].get("doorkeeper")
        caller = EVERYBODY
        if doorkeeper is not None:
            caller = await doorkeeper.admit(
                headers.get("authorization"),
                method,
                path,
                # A tool of agents calls a route within a request of its own.
                counted=scope["state"].get("counted", False),
            )
        else:
            self._check_page(method, headers)
        scope["state"]["caller"] = caller
        parameters = _parameters(scope["query_string"])
        if is_audited(method, path):
            await _note(caller, scope)
        if method not in ("POST", "PUT", "PATCH", "DELETE"):
            return receive
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if path == _UPLOAD and not is_inline(kind, parameters.get("format")):
            return self._limits.streamed(headers, receive)
        body = await request.enter_async_context(self._limits.whole(headers, receive))
        if body and kind.endswith("json"):
            body = _json(body)
        return replay(body, receive)

    def _check_page(self, method: str, headers: Headers) -> None:
        """Raises Forbidden for a call of a page of another site that is not among the origins.

        Keys keep such calls out; without them a page that the user of this machine reads could
        replace a collection, or read it.
        """
        if self._pages.renamed(headers):
            name = headers.get("host", "")[:80]
            raise Forbidden(
                f"This gateway asks for no keys, and {name!r} is no name of this machine. If it is"
                " yours, list http:// or https:// with it in XUNWEN_GATEWAY_CORS_ORIGINS."
            )
        if self._pages.changes(method, headers):
            raise Forbidden(
                "A page of another site may not make this call here. If it is yours, list its"
                " origin in XUNWEN_GATEWAY_CORS_ORIGINS."
            )


def _check_address(scope: Scope) -> None:
    """Raises MalformedRequest for an address that is not UTF-8 text without control characters.

    The server decodes a path with replacement characters, so that two addresses in another encoding
    would become one; and a newline at the end of a path escapes patterns that end in `$`.
    """
    raw: bytes = scope["raw_path"] + b"?" + scope["query_string"]
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise MalformedRequest(
            "The address is not UTF-8. Percent-encode its characters as UTF-8, not as GBK or"
            " GB18030."
        ) from None
    if any(character < " " for character in scope["path"]):
        raise MalformedRequest("The path holds control characters; no address of the API does.")


def _json(body: bytes) -> bytes:
    """The body without a byte order mark, which not every reader of JSON skips.

    Raises MalformedRequest unless it is JSON text as RFC 8259 defines it. Python's own reader also
    accepts NaN and halves of characters, which cannot be written as JSON again.
    """
    text = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}.") from None
    return text


def _parameters(query_string: bytes) -> dict[str, str]:
    """The query parameters. Raises InvalidRequest for one with two values, since it would be
    unclear which one counts."""
    if not query_string:
        return {}
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
        if name in parameters:
            raise InvalidRequest(f"{name[:80]!r} is given more than once; send it once.")
        parameters[name] = value
    return parameters


async def _note(caller: ApiKey, scope: Scope) -> None:
    """Writes an admin action to this process's log and, if it answers, to the state store."""
    event = {
        "action": f"{scope['method']} {scope['path'][:_NOTED]}",
        "by": caller.name,
        "key": caller.id,
        "from": (scope.get("client") or ("-",))[0],
        "request": request_id_var.get(),
    }
    audit.info("admin action", extra=event)
    keystore: KeyStore = scope["state"]["keystore"]
    try:
        await keystore.note(event)
    except (Unavailable, StorageDamaged) as error:
        audit.warning(
            "the audit log of the state store was not written",
            extra={**event, "reason": error.detail},
        )
