"""A hit links to its page of the original, on the page and against the real system."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.indexer import papers
from tests.stack import Stack
from tests.web.conftest import OpenPage
from xunwen import Client

NAME = "web_originals"


@pytest.fixture(scope="module")
def shelf(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a collection of a PDF and a web page."""
    folder = tmp_path_factory.mktemp("web_originals")
    (folder / "a.pdf").write_bytes(papers.paper_pdf())
    (folder / "b.html").write_bytes("<h1>水稻育种</h1><p>分子标记辅助选择。</p>".encode())
    with Client(stack.url, timeout=60) as client:
        job = client.index([folder / "a.pdf", folder / "b.html"], collection=NAME)
        assert client.wait(job.id).counts.indexed == 2
        yield f"?c={NAME}"
        client.delete_collection(NAME)


def test_the_page_of_a_hit_opens_the_original_there(open_page: OpenPage, shelf: str) -> None:
    page = open_page(f"{shelf}&q=温度场与水分场耦合")
    link = page.locator(".hit", has_text=papers.TITLE).get_by_role("link", name="第 2 页")
    address = link.get_attribute("href") or ""
    assert address.endswith("/originals/a.pdf#page=2")
    assert "原件" in (link.get_attribute("title") or "")
    answer = page.request.get(address.partition("#")[0])
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body() == papers.paper_pdf()
    expect(page.locator(".hit-meta").first).not_to_contain_text("original_bytes")


def test_other_originals_are_stored_and_not_shown(
    open_page: OpenPage, shelf: str, tmp_path: Path
) -> None:
    page = open_page(f"{shelf}&q=分子标记")
    link = page.locator(".hit", has_text="水稻育种").get_by_role("link", name="原件")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "b.html"
