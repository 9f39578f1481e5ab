"""Headers that keep browsers from guessing the type of an answer, framing it and storing it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # Answers depend on the key, and the gateway's own cache knows when they are valid.
    (b"cache-control", b"no-store"),
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of answers that are no pages."""
_API_POLICY = (b"content-security-policy", API_POLICY.encode())
_ONLY_TLS = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """The layer that adds the headers to each answer; it keeps a header that a route has set."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        wanted = [*_HEADERS, _API_POLICY]
        if scope["scheme"] == "https":
            wanted.append(_ONLY_TLS)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                own = {name.lower() for name, _ in headers}
                message["headers"] = [
                    *headers,
                    *(header for header in wanted if header[0] not in own),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
