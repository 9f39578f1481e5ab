"""The page comes with a content policy that lets nothing in from elsewhere."""

import httpx
import pytest

from tests.stack import Stack


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/docs", "/favicon.svg", "/js/main.js", "/css/base.css"]
)
def test_headers(stack: Stack, path: str) -> None:
    answer = httpx.get(f"{stack.url}{path}").raise_for_status()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
