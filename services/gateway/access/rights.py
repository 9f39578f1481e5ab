"""The scope that each call of the API needs, and the paths that are open to everybody.

Access is closed by default: a path outside `OPEN` needs a key, and a call without a rule is
forbidden to every key. Both lists hold route templates that Starlette compiles as it compiles the
routes, so a rule covers exactly the paths that reach its route. A test compares the rules with the
application's routes.
"""

import re
from dataclasses import dataclass, field

from starlette.routing import compile_path

from services.gateway.access.keys import Scope

OPEN = (
    "/",
    "/css/{path:path}",
    "/docs",
    "/docs.html",
    "/favicon.svg",
    "/icons.svg",
    "/index.html",
    "/js/{path:path}",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/readyz",
)
"""Paths that are open to everybody: probes, the API's description and the web page's files. They
hold no data of users."""


def _compiled(template: str) -> re.Pattern[str]:
    return compile_path(template)[0]


@dataclass(frozen=True, slots=True)
class Rule:
    """A call of the API and the scope that it needs."""

    method: str
    path: str
    """The template that the call's route has as its path."""
    scope: Scope
    audited: bool = False
    """Whether a call is written to the audit log though it needs no admin."""
    _paths: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_paths", _compiled(self.path))

    def covers(self, method: str, path: str) -> bool:
        """Whether a request with this method and this decoded path is the rule's call."""
        return method == self.method and self._paths.match(path) is not None


_COLLECTION = "/v1/collections/{collection}"
_DOCUMENT = f"{_COLLECTION}/documents/{{document_id:path}}"
_JOB = "/v1/index-jobs/{job_id}"

RULES = (
    Rule("GET", "/v1/search", Scope.SEARCH),
    Rule("POST", "/v1/search", Scope.SEARCH),
    Rule("POST", "/v1/search:batch", Scope.SEARCH),
    Rule("POST", "/v1/embeddings", Scope.SEARCH),
    Rule("GET", "/v1/models", Scope.SEARCH),
    Rule("GET", "/v1/models/{model:path}", Scope.SEARCH),
    Rule("POST", "/v1/rerank", Scope.SEARCH),
    Rule("POST", "/v2/rerank", Scope.SEARCH),
    Rule("POST", "/rerank", Scope.SEARCH),
    Rule("POST", "/retrieval", Scope.SEARCH),
    Rule("POST", "/mcp", Scope.SEARCH),
    Rule("GET", "/mcp", Scope.SEARCH),
    Rule("DELETE", "/mcp", Scope.SEARCH),
    Rule("GET", "/v1/collections", Scope.SEARCH),
    Rule("GET", _COLLECTION, Scope.SEARCH),
    Rule("GET", _DOCUMENT, Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/documents", Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/vectors/{{document_id:path}}", Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/originals/{{document_id:path}}", Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/statistics", Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/suggestions", Scope.SEARCH),
    Rule("POST", "/v1/similar", Scope.SEARCH),
    Rule("POST", "/v1/search:cite", Scope.SEARCH),
    Rule("POST", "/v1/citations", Scope.SEARCH),
    Rule("GET", f"{_COLLECTION}/export", Scope.INDEX, audited=True),
    Rule("POST", "/v1/collections", Scope.INDEX),
    Rule("PUT", _DOCUMENT, Scope.INDEX),
    Rule("PATCH", _DOCUMENT, Scope.INDEX),
    Rule("DELETE", _DOCUMENT, Scope.INDEX),
    Rule("POST", f"{_COLLECTION}/documents:delete", Scope.INDEX),
    Rule("GET", "/v1/input-formats", Scope.INDEX),
    Rule("GET", "/v1/index-jobs", Scope.INDEX),
    Rule("POST", "/v1/index-jobs", Scope.INDEX),
    Rule("GET", _JOB, Scope.INDEX),
    Rule("GET", f"{_JOB}/errors", Scope.INDEX),
    Rule("GET", f"{_JOB}/events", Scope.INDEX),
    Rule("POST", f"{_JOB}:cancel", Scope.INDEX),
    Rule("POST", f"{_JOB}:retry", Scope.INDEX),
    Rule("PUT", f"{_COLLECTION}/fields", Scope.INDEX, audited=True),
    Rule("PUT", f"{_COLLECTION}/golden-queries", Scope.INDEX),
    Rule("GET", f"{_COLLECTION}/golden-queries", Scope.INDEX),
    Rule("PUT", f"{_COLLECTION}/dictionary", Scope.INDEX, audited=True),
    Rule("GET", f"{_COLLECTION}/dictionary", Scope.INDEX),
    Rule("PUT", f"{_COLLECTION}/query-rules", Scope.INDEX, audited=True),
    Rule("GET", f"{_COLLECTION}/query-rules", Scope.INDEX),
    Rule("POST", f"{_COLLECTION}:rebuild", Scope.ADMIN),
    Rule("POST", f"{_COLLECTION}:rollback", Scope.ADMIN),
    Rule("DELETE", _COLLECTION, Scope.ADMIN),
    Rule("GET", "/v1/admin/hot-queries", Scope.ADMIN),
)

_OPEN_PATHS = tuple(_compiled(template) for template in OPEN)


def needs_key(path: str) -> bool:
    """Whether a decoded path needs an API key."""
    return not any(pattern.match(path) for pattern in _OPEN_PATHS)


def rule_of(method: str, path: str) -> Rule | None:
    """The rule of a call with this decoded path, or None where there is none."""
    return next((rule for rule in RULES if rule.covers(method, path)), None)


def scope_of(method: str, path: str) -> Scope | None:
    """The scope that a call needs, or None where no rule allows the call to any key."""
    rule = rule_of(method, path)
    return rule.scope if rule else None


def is_audited(method: str, path: str) -> bool:
    """Whether a call is written to the audit log: an admin action, or a rule that says so."""
    rule = rule_of(method, path)
    return rule is not None and (rule.audited or rule.scope is Scope.ADMIN)
