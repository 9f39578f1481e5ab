"""Tells the calls of other services from those of strangers."""

import hmac
from dataclasses import InitVar, dataclass, field

from starlette.datastructures import Headers

from services.common.request_context import INTERNAL_TOKEN_HEADER
from services.common.server.foreign_pages import ForeignPages, is_loopback


@dataclass(slots=True)
class InternalCalls:
    """The check of a service that answers other services only.

    With a `token` a call must carry it. Without one everybody may call but the pages in a browser.
    """

    token: str | None
    host: InitVar[str]
    """Address on which the service listens."""
    _pages: ForeignPages = field(init=False)

    def __post_init__(self, host: str) -> None:
        self._pages = ForeignPages(is_loopback(host))

    def refuses(self, method: str, headers: Headers) -> bool:
        """Whether a call is none of another service."""
        if self.token is not None:
            offered = headers.get(INTERNAL_TOKEN_HEADER, "")
            return not hmac.compare_digest(offered.encode(), self.token.encode())
        return self._pages.renamed(headers) or self._pages.changes(method, headers)
