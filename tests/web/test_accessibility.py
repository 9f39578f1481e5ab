"""axe-core on every view, light and dark, wide and narrow; and what axe does not see."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.stack import Stack
from tests.web.accessibility import PHONE, findings
from tests.web.browser import Screenshots
from tests.web.conftest import OpenPage
from xunwen import Client

VIEWS = {
    "home": ("", ".steps"),
    "search": ("?q=卫星姿态", ".hit"),
    "compare": ("?q=卫星姿态&mode=compare", ".leg-hit"),
    "vectors": ("?view=vectors&a=卫星姿态&b=飞行控制", ".nearest li"),
    "jobs": ("?view=jobs", ".job"),
    "collections": ("?view=collections", ".collection"),
    "health": ("?view=health", ".part"),
    "problem": ("?q=卫星&c=no_such_thing", ".problem"),
}
DARK = pytest.param("dark", marks=pytest.mark.soak)
"""By default only the drawer, which has every colour, is looked at in dark."""


@pytest.mark.parametrize("scheme", ["light", DARK])
@pytest.mark.parametrize("view", VIEWS)
def test_axe(open_page: OpenPage, view: str, scheme: str) -> None:
    path, content = VIEWS[view]
    page = open_page(path, color_scheme=scheme)
    expect(page.locator(content).first).to_be_visible()
    assert findings(page) == []


def test_axe_in_the_drawer(open_page: OpenPage) -> None:
    page = open_page("?q=卫星姿态", color_scheme="dark")
    page.locator(".hit-title").first.click()
    expect(page.get_by_role("dialog").locator("table")).to_be_visible()
    assert findings(page) == []


def test_axe_where_columns_are_asked_for(open_page: OpenPage) -> None:
    page = open_page("?view=jobs")
    table = {"name": "t.csv", "mimeType": "text/csv", "buffer": "编号,题目\n1,冻土\n".encode()}
    page.get_by_label("选择文件", exact=True).set_input_files(table)  # type: ignore[arg-type]
    expect(page.get_by_role("dialog")).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE}]
)
def test_axe_in_words_and_rules(open_page: OpenPage, look: dict[str, Any]) -> None:
    page = open_page("?view=collections", locale="en-GB", **look)
    card = page.locator(".collection[data-name=literature]")
    card.get_by_role("button", name="Words and rules").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Synonyms").fill("one")
    dialog.get_by_role("button", name="Add a query").click()
    dialog.get_by_role("button", name="Save the rules").click()
    dialog.get_by_label("Query", exact=True).fill("rice")
    dialog.get_by_role("button", name="Save the rules").click()
    expect(dialog.get_by_role("alert").filter(has_text="Line 1: ")).to_be_visible()
    assert dialog.evaluate("it => it.scrollWidth <= it.clientWidth")
    assert findings(page) == []


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE}]
)
def test_axe_where_partitions_are_named(
    open_page: OpenPage, parted: str, look: dict[str, Any]
) -> None:
    page = open_page(f"?q=草原&c={parted}&p=甲", locale="en-GB", **look)
    expect(page.get_by_role("button", name="Search beyond: Partition 甲")).to_be_visible()
    assert findings(page) == []
    page.get_by_role("combobox", name="Partition (tenant)").focus()
    assert findings(page) == []
    page.goto("/?view=jobs")
    page.get_by_label("Collection", exact=True).fill(parted)
    expect(page.get_by_label("Partition (may be left empty)")).to_be_visible()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto("/?view=collections")
    page.get_by_role("button", name="New collection").click()
    expect(page.get_by_label("Partition key (may be left empty)")).to_be_visible()
    assert findings(page) == []


def test_the_longest_collection_name_fits_a_phone(open_page: OpenPage, stack: Stack) -> None:
    name = "w" * 48
    with Client(stack.url) as client:
        client.create_collection(name)
        try:
            page = open_page(f"?q=卫星姿态&c={name}", viewport=PHONE)
            expect(page.get_by_role("combobox", name="文献集")).to_have_value(name)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        finally:
            client.delete_collection(name)


@pytest.mark.parametrize("view", VIEWS)
def test_phone_width(open_page: OpenPage, screenshots: Screenshots, view: str) -> None:
    path, content = VIEWS[view]
    page = open_page(path, viewport=PHONE, locale="en-GB")
    expect(page.locator(content).first).to_be_visible()
    screenshots.take(page, f"phone-{view}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert findings(page) == []
