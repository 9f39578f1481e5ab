"""Filters of the page by fields whose names are in any script or hold a space."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.stack import Stack
from tests.web.conftest import OpenPage

NAME = "web_field_names"
SPACED = "first author's place"
PAPERS = (
    ("水稻的抗旱基因", "农学", "北京", 2010),
    ("水稻的灌溉制度", "水利", "北京", 2014),
    ("水稻稻瘟病防治", "农学", "南京", 2018),
    ("水稻的种植密度", "水利", "南京", 2021),
)


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    """The address of a search that finds every paper of a small collection."""
    collection = f"/v1/collections/{NAME}"
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for place, (title, subject, city, year) in enumerate(PAPERS):
            fields = {"学科": subject, SPACED: city, "出版 年份": year}
            document = f"{collection}/documents/n{place}"
            http.put(document, json={"title": title, "fields": fields}).raise_for_status()
        yield f"?c={NAME}&q=水稻"
        http.delete(collection)


def titles(page: Page) -> set[str]:
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    return set(page.locator(".hit-title").all_inner_texts())


def test_fields_of_any_name_filter(open_page: OpenPage, address: str) -> None:
    page = open_page(address)
    expect(page.locator(".hit")).to_have_count(len(PAPERS))
    page.get_by_role("group", name="学科", exact=True).get_by_role("checkbox", name="农学").check()
    expect(page.locator(".hit")).to_have_count(2)
    assert titles(page) == {PAPERS[0][0], PAPERS[2][0]}
    page.get_by_role("group", name=SPACED, exact=True).get_by_role("checkbox", name="南京").check()
    expect(page.locator(".hit")).to_have_count(1)
    assert titles(page) == {PAPERS[2][0]}
    page.reload()
    expect(page.locator(".hit")).to_have_count(1)
    page.get_by_role("button", name="去掉筛选：学科 农学").click()
    expect(page.locator(".hit")).to_have_count(2)
    page.get_by_role("spinbutton", name="出版 年份").first.fill("2020")
    expect(page.locator(".hit")).to_have_count(1)
    assert titles(page) == {PAPERS[3][0]}
    page.reload()
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.get_by_role("button", name="去掉筛选：出版 年份 2020–")).to_be_visible()
