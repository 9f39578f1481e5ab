"""Which scope each route of the API asks for. Pure; a test holds it against the OpenAPI schema."""

import re

from services.gateway.access.keys import Scope

_OPEN = re.compile(r"/(livez|readyz|metrics|openapi\.json|docs(/.*)?|redoc)")

_RULES: tuple[tuple[str, str, Scope], ...] = (
    (r"POST|GET", r"/v1/search", Scope.SEARCH),
    (r"POST", r"/v1/search:batch", Scope.SEARCH),
    (r"POST", r"/v1/embeddings|(/v[12])?/rerank", Scope.SEARCH),
    (r"GET", r"/v1/collections(/[^/]+)?", Scope.SEARCH),
    (r"GET", r"/v1/collections/[^/]+/documents/.+", Scope.SEARCH),
    (r"PUT|DELETE", r"/v1/collections/[^/]+/documents/.+", Scope.INDEX),
    (r"POST", r"/v1/collections/[^/]+/documents:delete", Scope.INDEX),
    (r"POST", r"/v1/collections", Scope.INDEX),
    (r"POST", r"/v1/collections/[^/]+:(rebuild|rollback)", Scope.ADMIN),
    (r"DELETE", r"/v1/collections/[^/]+", Scope.ADMIN),
    (r"GET|POST", r"/v1/index-jobs(/.*)?", Scope.INDEX),
    (r"GET", r"/v1/admin/.*", Scope.ADMIN),
)
_COMPILED = tuple((re.compile(method), re.compile(path), scope) for method, path, scope in _RULES)


def is_audited(method: str, path: str) -> bool:
    """Whether a request is an admin action, to be found in the audit log."""
    return scope_of(method, path) is Scope.ADMIN


def needs_key(path: str) -> bool:
    """Probes, the schema and the web page's files are open; they hold nobody's data."""
    return path.startswith(("/v1/", "/v2/", "/rerank")) and not _OPEN.fullmatch(path)


def scope_of(method: str, path: str) -> Scope | None:
    """None where there is no such route."""
    for methods, paths, scope in _COMPILED:
        if methods.fullmatch(method) and paths.fullmatch(path):
            return scope
    return None
