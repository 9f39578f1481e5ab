"""The description of the API at /docs: it loads nothing from other hosts, and its calls work."""

import re

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.web.conftest import OpenPage


def opened(page: Page, name: str) -> Page:
    """The page with a call unfolded."""
    page.locator(f"#{name} > summary").click()
    return page


def test_every_call_is_listed_and_none_is_unreadable(open_page: OpenPage) -> None:
    page = open_page("docs")
    calls = page.locator("details.call")
    expect(calls.first).to_be_visible()
    assert calls.count() > 50
    page.evaluate("document.querySelectorAll('details.call').forEach(one => one.open = true)")
    expect(page.locator(".call-body")).to_have_count(calls.count())


def test_a_search_is_sent_as_it_stands(open_page: OpenPage) -> None:
    page = opened(open_page("docs"), "post-v1-search")
    call = page.locator("#post-v1-search")
    expect(call.get_by_label("body")).to_have_value(re.compile("水稻病害"))
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_role("status")).to_contain_text("200 in")
    expect(call.locator("pre").first).to_contain_text('"hits": [')
    expect(call.locator("pre").last).to_contain_text("curl -X POST")
    call.get_by_text("Members of the body").click()
    expect(call.get_by_role("cell", name="boosts[].factor", exact=True)).to_be_visible()


def test_parameters_stand_in_the_address_and_a_refusal_is_shown(open_page: OpenPage) -> None:
    page = opened(open_page("docs"), "get-v1-collections-collection-documents-document-id")
    call = page.locator("#get-v1-collections-collection-documents-document-id")
    call.get_by_label("document_id *").fill("a/b c")
    call.get_by_label("collection *").fill("literature")
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_role("status")).to_contain_text("404 in")
    expect(call.locator("pre").first).to_contain_text("document_not_found")
    expect(call.locator("pre").last).to_contain_text("/literature/documents/a%2Fb%20c")


def test_an_address_opens_its_call(open_page: OpenPage) -> None:
    page = open_page("docs#get-v1-models")
    call = page.locator("#get-v1-models")
    call.get_by_role("button", name="Send").click()
    expect(call.locator("pre").first).to_contain_text('"kind": "encoder"')


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/octet-stream"])
def test_a_file_is_sent(open_page: OpenPage, kind: str) -> None:
    page = opened(open_page("docs"), "post-v1-index-jobs")
    call = page.locator("#post-v1-index-jobs")
    call.get_by_label("content type").select_option(kind)
    lines = b'{"id": "1", "title": "a"}\n'
    file: FilePayload = {"name": "a.jsonl", "mimeType": "application/x-ndjson", "buffer": lines}
    call.get_by_label("file").set_input_files(file)
    call.get_by_label("name").fill("a.jsonl")
    call.get_by_label("collection").fill("web_docs")
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_role("status")).to_contain_text("202 in")
    expect(call.locator("pre").last).to_contain_text("a.jsonl'")
