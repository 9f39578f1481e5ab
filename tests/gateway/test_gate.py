"""The gate before an application of its own: calls of pages of other sites, and the audit log; and
what pages of listed origins may read."""

from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from services.common.server.foreign_pages import ForeignPages
from services.gateway.access.body_limits import BodyLimits
from services.gateway.access.gate import Gate
from services.gateway.access.keys import ApiKey, Scope, new_key
from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from tests.gateway.gateways import ORIGIN
from tests.servers import free_port

OTHER = "https://other.example"
JOB = "/v1/index-jobs?collection=mine&format=jsonl&mode=rebuild"
PAGES = ForeignPages(loopback=True, origins=frozenset({ORIGIN}))


class Admits:
    """A check of keys that lets everybody in."""

    async def admit(self, *_: object, **__: object) -> ApiKey:
        return ApiKey("1", "one", frozenset(), "")


class Audit:
    """The state store, as far as it keeps the audit log."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def note(self, event: dict[str, Any]) -> None:
        self.events.append(event)


async def called(
    method: str,
    path: str,
    headers: dict[str, str],
    doorkeeper: Admits | None = None,
    audit: Audit | None = None,
) -> httpx.Response:
    async def route(scope: AsgiScope, receive: Receive, send: Send) -> None:
        await Response(status_code=204)(scope, receive, send)

    state = {"doorkeeper": doorkeeper, "keystore": audit or Audit()}
    gate = Gate(route, limits=BodyLimits(100, 100, 1.0), max_requests=9, pages=PAGES)

    async def served(scope: Any, receive: Receive, send: Send) -> None:
        await gate(scope | {"state": state}, receive, send)

    way = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        return await http.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", JOB),
        ("POST", "/v1/index-jobs/1:cancel"),
        ("POST", "/v1/search"),
        ("POST", "/mcp"),
        ("PUT", "/v1/collections/mine/documents/1"),
        ("DELETE", "/v1/collections/mine"),
    ],
)
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
async def test_a_page_of_another_site_changes_nothing(
    method: str, path: str, site: str | None
) -> None:
    """A browser says nothing of the site to `0.0.0.0`, an address in the network, or if it is old;
    it names the origin."""
    said = {} if site is None else {"sec-fetch-site": site}
    answer = await called(method, path, {**said, "origin": OTHER})
    assert answer.status_code == 403
    assert "XUNWEN_GATEWAY_CORS_ORIGINS" in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_page_whose_name_means_this_machine_is_foreign(method: str) -> None:
    """Its own server answers the first look-up of the name, and loopback the next one."""
    headers = {"host": "evil.example:8000"}
    if method != "GET":
        headers["origin"] = "http://evil.example:8000"
    answer = await called(method, JOB, headers)
    assert answer.status_code == 403
    assert "'evil.example:8000' is no name of this machine" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://gateway"}),
        ("POST", {"sec-fetch-site": "none"}),
        ("POST", {"sec-fetch-site": "cross-site", "origin": ORIGIN}),
        ("GET", {"sec-fetch-site": "cross-site"}),
        ("POST", {"origin": "http://gateway"}),
        ("POST", {"origin": ORIGIN}),
        ("POST", {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}),
        ("POST", {"host": "library.example"}),
        ("POST", {"host": "search.example", "sec-fetch-site": "same-origin"}),
    ],
)
async def test_other_calls_pass(method: str, headers: dict[str, str]) -> None:
    assert (await called(method, JOB, headers)).status_code == 204


async def test_a_key_is_proof_enough() -> None:
    """A browser asks first before it sends a key of another site's page."""
    answer = await called("POST", JOB, {"sec-fetch-site": "cross-site", "origin": OTHER}, Admits())
    assert answer.status_code == 204


async def test_a_long_address_leaves_a_short_line_in_the_audit_log() -> None:
    """Ten thousand lines are kept, in a store that must evict nothing."""
    audit = Audit()
    path = f"/v1/collections/{'长' * 5_000}/fields"
    assert (await called("PUT", path, {}, audit=audit)).status_code == 204
    assert (await called("DELETE", "/v1/collections/mine", {}, audit=audit)).status_code == 204
    long, short = (str(event["action"]) for event in audit.events)
    assert long.startswith("PUT /v1/collections/长长")
    assert len(long) <= 210
    assert short == "DELETE /v1/collections/mine"


async def test_a_failure_before_the_route_counts_as_one_of_the_route() -> None:
    """Alerts look at failed searches. With the state store away, a gateway that has just started
    knows no key, and all of its searches fail here; a refused caller is no failure."""
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    key, _ = new_key("reader", frozenset({Scope.SEARCH}))
    settings = GatewaySettings(require_keys=True, state_redis_url=nobody, cache_redis_url=nobody)
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:

        async def served(scope: Any, receive: Receive, send: Send) -> None:
            await app(scope | {"state": dict(state or {})}, receive, send)

        way = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
            for authorization, status in ((f"Bearer {key}", 503), ("Bearer none", 401)):
                headers = {"authorization": authorization}
                answer = await http.post("/v1/search", json={"query": "a"}, headers=headers)
                assert answer.status_code == status
            metrics = (await http.get("/metrics")).text
    assert 'method="POST",route="/v1/search",status="503"} 1.0' in metrics
    assert 'route="/v1/search",status="401"' not in metrics


async def test_a_page_of_a_listed_origin_reads_the_headers_that_the_api_names() -> None:
    app = create_app(GatewaySettings(cors_origins=[ORIGIN]))
    way = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        answer = await http.get("/css/base.css", headers={"origin": ORIGIN})
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    named = {"x-request-id", "x-cache", "age", "retry-after", "x-encoder", "content-disposition"}
    assert set(exposed) == named


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Library.Example", "https://library.example"),
        ("https://library.example:443", "https://library.example"),
        ("http://library.example:80", "http://library.example"),
        ("http://library.example:443", "http://library.example:443"),
        ("http://[FD00::5]:8080", "http://[fd00::5]:8080"),
    ],
)
async def test_an_origin_is_compared_as_a_browser_writes_it(written: str, sent: str) -> None:
    app = create_app(GatewaySettings(cors_origins=[written]))
    way = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=way, base_url="http://gateway") as http:
        answer = await http.get("/css/base.css", headers={"origin": sent})
    assert answer.headers["access-control-allow-origin"] == sent
