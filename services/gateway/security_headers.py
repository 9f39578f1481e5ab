"""Headers that keep browsers from guessing, framing and storing what the API answers."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # answers depend on the key, and our own cache knows more
}
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_ONLY_TLS = "max-age=31536000"
_PAGES = frozenset({"/docs", "/redoc"})
"""Of FastAPI: they load scripts, which the API's own policy forbids."""


class SecurityHeaders:
    """What a route sets itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"] not in _PAGES:
                    headers.setdefault("Content-Security-Policy", _API_POLICY)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", _ONLY_TLS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
