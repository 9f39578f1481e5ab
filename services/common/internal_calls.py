"""Tells the calls of other services from those of strangers."""

import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers

from services.common.foreign_pages import ForeignPages, is_loopback
from services.common.request_context import INTERNAL_TOKEN_HEADER


@dataclass(frozen=True, slots=True)
class InternalCalls:
    """The check of a service that answers other services only.

    With a `token` a call must carry it. Without one everybody may call but the pages in a browser.
    """

    token: str | None
    host: str
    """Address on which the service listens."""

    def refuses(self, method: str, headers: Headers) -> bool:
        """Whether a call is none of another service."""
        if self.token is not None:
            offered = headers.get(INTERNAL_TOKEN_HEADER, "")
            return not hmac.compare_digest(offered.encode(), self.token.encode())
        pages = ForeignPages(is_loopback(self.host))
        return pages.renamed(headers) or pages.changes(method, headers)
