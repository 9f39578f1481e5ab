"""The web page under test: the gateway's own, in front of the whole real system."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.stack import Stack
from tests.web.browser import Screenshots, chromium, find_chromium, strict_page
from xunwen import Client, Document

_WAIT_MS = 20_000
OpenPage = Callable[..., Page]


# Playwright's loop must have ended before tests elsewhere run theirs; here a package is a folder.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    expect.set_options(timeout=_WAIT_MS)
    with chromium(executable) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, stack: Stack) -> Iterator[OpenPage]:
    """Opens a path of the page in a browser of its own: open_page("?q=…", locale="en-GB")."""
    with ExitStack() as pages:

        def open_page(path: str = "", **options: Any) -> Page:
            page = pages.enter_context(strict_page(browser, stack.url, **options))
            page.goto(f"/{path}")
            return page

        yield open_page


@pytest.fixture(scope="session")
def screenshots() -> Screenshots:
    return Screenshots(Path(__file__).parents[2] / "artifacts" / "screenshots")


PARTED = "web_parted"
PARTITIONS = {"甲": ("草原生态补偿", "草原载畜量"), "乙": ("草原鼠害防治",)}
"""Titles by partition."""


@pytest.fixture(scope="module")
def parted(stack: Stack) -> Iterator[str]:
    """The name of a collection whose partition key is `tenant`."""
    with Client(stack.url) as client:
        client.create_collection(PARTED, partition_key="tenant")
        for tenant, titles in PARTITIONS.items():
            for place, title in enumerate(titles):
                fields = {"tenant": tenant, "year": 2010 + place}
                document = Document(id=f"{tenant}{place}", title=title, fields=fields)
                client.put(document, collection=PARTED)
        yield PARTED
        client.delete_collection(PARTED)
