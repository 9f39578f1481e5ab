"""Whom a server without keys takes for a foreign page, by the name that it is called by."""

import pytest
from starlette.datastructures import Headers

from services.common.server.foreign_pages import ForeignPages, is_loopback

LOCAL = ForeignPages(loopback=True, origins=frozenset({"https://library.example"}))
OPEN = ForeignPages(loopback=False)


@pytest.mark.parametrize(
    ("host", "strange"),
    [
        ("127.0.0.1:8000", False),
        ("0.0.0.0:8000", False),
        ("[::1]:8000", False),
        ("[::1]", False),
        ("192.168.1.5", False),
        ("localhost:8000", False),
        ("LocalHost.:8000", False),
        ("xunwen.localhost:8000", False),
        ("host.docker.internal:8000", False),
        ("box.local", False),
        ("gateway:8000", False),
        ("", False),
        ("library.example", False),
        ("Library.Example", False),
        ("library.example:8000", True),
        ("evil.example:8000", True),
        ("evil.example.:8000", True),
        ("127.0.0.1.evil.example", True),
        ("localhost.evil.example:8000", True),
        ("xn--fiq.example", True),
    ],
)
def test_a_server_on_loopback_is_called_by_a_name_of_this_machine(host: str, strange: bool) -> None:
    headers = Headers({"host": host})
    assert LOCAL.renamed(headers) is strange
    assert not OPEN.renamed(headers)
    assert not LOCAL.renamed(Headers({"host": host, "sec-fetch-site": "same-origin"}))


@pytest.mark.parametrize(
    ("host", "origin", "foreign"),
    [
        ("192.168.1.5:8000", "http://192.168.1.5:8000", False),
        ("192.168.1.5:8000", "http://192.168.1.5:3000", True),
        ("192.168.1.5", "http://192.168.1.50", True),
        ("[fd00::5]:8000", "http://[fd00::5]:8000", False),
        ("server:8000", "http://server:8000", False),
        ("Server:8000", "http://server:8000", False),
        ("search.example:8000", "http://search.example:8000", True),
        ("0.0.0.0:8000", "https://evil.example", True),
        ("127.0.0.1:8000", "null", True),
        ("127.0.0.1:8000", "file://", True),
        ("127.0.0.1:8000", "", True),
        ("127.0.0.1:8000", None, False),
    ],
)
def test_without_word_of_the_site_the_origin_is_compared(
    host: str, origin: str | None, foreign: bool
) -> None:
    headers = Headers({"host": host} if origin is None else {"host": host, "origin": origin})
    for pages in (LOCAL, OPEN):
        assert pages.changes("POST", headers) is foreign
        assert not pages.changes("GET", headers)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("gateway", False),
    ],
)
def test_which_addresses_this_machine_alone_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
