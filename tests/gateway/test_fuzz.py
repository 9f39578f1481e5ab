"""Requests that nobody meant to send, on a gateway with keys.

schemathesis sends what the schema allows and what it forbids, with all its checks: no 5xx, no
answer that the schema does not describe, no key no answer. A generator of our own sends odd ids,
encodings and values. XUNWEN_TEST_FUZZ_CASES sets the number of its cases. These tests write freely
into collections, so they run after all others.
"""

import os
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from tests.gateway.fuzzing import BY_DESIGN, OPERATIONS, Described, described, fuzz
from tests.gateway.gateways import OPERATOR_KEY
from tests.gateway.odd import OddRequest, requests

pytestmark = pytest.mark.last

HEADERS = {"Authorization": f"Bearer {OPERATOR_KEY}"}
CASES = int(os.environ.get("XUNWEN_TEST_FUZZ_CASES", "300"))


@pytest.fixture(scope="module")
def schema(keyed: str) -> Described:
    return described(keyed)


@pytest.fixture(scope="module")
def http(keyed: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=keyed, headers=HEADERS, timeout=120) as http:
        yield http


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_all_checks(schema: Described, method: str, path: str) -> None:
    fuzz(schema, method, path, HEADERS, examples=5)


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_all_checks_at_full_size(schema: Described, method: str, path: str) -> None:
    fuzz(schema, method, path, HEADERS, examples=200)


def answered_in_order(http: httpx.Client, request: OddRequest) -> None:
    """Sends a request and checks that its answer is one, and no failure of the system."""
    headers = {"content-type": request.content_type} if request.content_type else {}
    with http.stream(
        request.method,
        "/",
        content=request.body if request.method in ("POST", "PUT") else None,
        headers=headers,
        extensions={"target": request.target},
    ) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return
        answer.read()
    if answer.is_success:
        return
    if request.target.startswith(b"/mcp"):  # errors of the protocol have its own form
        assert answer.status_code < 500, answer.text
        return
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["detail"]
    assert "Traceback" not in answer.text
    assert answer.status_code < 500 or problem["code"] in BY_DESIGN, answer.text


def odd_requests(http: httpx.Client, cases: int) -> None:
    @given(requests())
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def check(request: OddRequest) -> None:
        note(repr(request))
        answered_in_order(http, request)

    check()


def test_odd_requests(http: httpx.Client) -> None:
    odd_requests(http, CASES)
    assert http.get("/readyz").is_success


@pytest.mark.soak
def test_thousands_of_odd_requests(http: httpx.Client) -> None:
    odd_requests(http, 5_000)
