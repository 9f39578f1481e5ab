"""Text as a segment of a path: it comes out as it went in, or it is refused."""

from urllib.parse import unquote, urljoin

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.calls.client import ServiceClient
from services.common.documents import check_id
from services.common.errors import InvalidRequest
from services.common.paths import segment
from tests.ids import NASTY


@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_id_is_an_id_and_one_segment(value: str) -> None:
    assert check_id(value) == value
    assert unquote(segment(value)) == value
    assert "/" not in segment(value)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@settings(deadline=None)
def test_no_url_library_changes_a_segment(value: str) -> None:
    if value in (".", ".."):
        with pytest.raises(ValueError, match="taken out"):
            segment(value)
        return
    path = f"/a/{segment(value)}/b"
    assert httpx.URL("http://x").join(path).raw_path == path.encode()
    assert urljoin("http://x", path) == f"http://x{path}"
    assert unquote(path) == f"/a/{value}/b"


@pytest.mark.parametrize("value", ["", ".", "..", "\ud800"])
def test_what_no_path_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        segment(value)


@pytest.mark.parametrize("path", ["/a/..", "/a/.", "/a/../b", "/./a", "/a b", "/a?b", "/a#b", "/é"])
@pytest.mark.parametrize("prefix", ["", "/prefix"])
async def test_a_path_that_would_be_rewritten_is_not_called(path: str, prefix: str) -> None:
    called: list[bytes] = []

    async def remember(request: httpx.Request) -> httpx.Response:
        called.append(request.url.raw_path)
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(remember)
    client = ServiceClient("indexer", f"http://x{prefix}", timeout=1, transport=transport)
    async with client:
        with pytest.raises(InvalidRequest, match="address"):
            await client.send("DELETE", path)
        with pytest.raises(InvalidRequest, match="address"):
            async with client.stream("GET", path):
                pass
        await client.send("GET", "/a/..%2Fb", params={"q": "../冻 土?#"})
    assert [each.partition(b"?")[0] for each in called] == [prefix.encode() + b"/a/..%2Fb"]
