"""Who may call what: the rules are those of the routes, and what has no rule is closed."""

import asyncio
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from services.gateway.access.keys import Scope
from services.gateway.access.rights import OPEN, RULES, is_audited, needs_key, scope_of
from services.gateway.app import create_app
from services.gateway.page.serving import FOLDER
from services.gateway.settings import GatewaySettings

APP = create_app(GatewaySettings())
CALLS = {
    (method.upper(), re.sub(r"\{(document_id|model)\}", r"{\1:path}", path))
    for path, methods in APP.openapi()["paths"].items()
    for method in methods
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def routed(method: str, path: str) -> dict[str, Any]:
    """The scope of a request after the application has routed it."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "query_string": b"",
        "headers": [],
        "state": {},
    }

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        """Drops the answer: the state of this application was never opened."""

    async def ask() -> None:
        try:
            await APP.router(scope, receive, send)
        except Exception:  # noqa: BLE001 - what matters is the route that was taken
            return

    asyncio.run(ask())
    return scope


def reached(method: str, path: str) -> str | None:
    """The template of the API's route that takes a request; None for 404 and 405."""
    route = routed(method, path).get("route")
    return route.path if route is not None and method in (route.methods or ()) else None


def test_every_call_of_the_api_has_exactly_one_rule_and_no_rule_is_left_over() -> None:
    closed = {(method, path) for method, path in CALLS if needs_key(path)}
    assert len(closed) >= 20
    rules = [(rule.method, rule.path) for rule in RULES]
    assert len(set(rules)) == len(rules)
    assert set(rules) == closed
    assert {path for _, path in CALLS - closed} == {"/livez", "/readyz", "/metrics"}


def test_what_is_open_is_served_and_nothing_of_it_is_the_api() -> None:
    for template in OPEN:
        path = template.replace("{path:path}", "main.js")
        assert not path.startswith(("/v1", "/v2", "/rerank"))
        assert not needs_key(path)
    for entry in FOLDER.iterdir():
        assert not needs_key(f"/{entry.name}/main.js" if entry.is_dir() else f"/{entry.name}")
    files = [template for template in OPEN if "{" not in template]
    assert [path for path in files if "endpoint" not in routed("GET", path)] == []


@pytest.mark.parametrize(
    "path",
    [
        *("/nowhere", "/v1", "/v1/", "/v3/search", "//v1/search", "/V1/search", "/v1/search/"),
        *("/livez/", "/docs/x", "/metricsx", "/admin", "/v1/keys", "/.env", "/css", "", "*"),
        *("/v1/search\n", "/v1/collections/x:rebuild\n", "/openapi.json/../v1/search"),
    ],
)
def test_whatever_is_not_listed_needs_a_key(path: str) -> None:
    assert needs_key(path)


SEGMENTS = st.sampled_from(
    [
        *("v1", "v2", "search", "search:batch", "embeddings", "rerank", "collections", "notes"),
        *("documents", "documents:delete", "index-jobs", "admin", "hot-queries", "j1", "j1:cancel"),
        *("errors", "events", "notes:rebuild", "notes:rollback", ".", "..", "", "a", "é", "文"),
        *("a:rebuild", "j1:retry", "%2e%2e", "x\n", "\n", "?", "#", " ", "livez", "docs", "css"),
    ]
)


@given(st.sampled_from(METHODS), st.lists(SEGMENTS, max_size=6).map(lambda s: "/" + "/".join(s)))
@example("POST", "/v1/collections/notes:rebuild\n")
@example("DELETE", "/v1/collections/notes\n")
@example("DELETE", "/v1/collections/notes/documents/..")
@example("DELETE", "/v1/collections/notes/documents/")
@example("GET", "/v1/collections/notes/documents/a\nb")
@settings(deadline=None, max_examples=100)
def test_a_rule_holds_for_exactly_what_reaches_its_route(method: str, path: str) -> None:
    template = reached(method, path)
    if not needs_key(path):
        return
    covering = [rule for rule in RULES if rule.covers(method, path)]
    assert [rule.path for rule in covering] == ([] if template is None else [template])
    assert scope_of(method, path) == (covering[0].scope if covering else None)


def test_admin_actions_are_audited() -> None:
    assert is_audited("DELETE", "/v1/collections/notes")
    assert is_audited("POST", "/v1/collections/notes:rebuild")
    assert not is_audited("DELETE", "/v1/collections/notes/documents/..")
    assert scope_of("DELETE", "/v1/collections/notes/documents/..") is Scope.INDEX
