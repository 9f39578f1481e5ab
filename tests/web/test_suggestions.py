"""Suggestions, did-you-mean and pinned hits on the page, by keyboard and pointer."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stack import Stack
from tests.web.accessibility import PHONE, findings
from tests.web.browser import Held
from tests.web.conftest import OpenPage

NAME = "web_words"
TITLES = ("神经网络的可解释性", "冻土路基的变形监测", "水稻的抗旱基因")


@pytest.fixture(scope="module")
def words(stack: Stack) -> Iterator[str]:
    """The address of a collection whose last document is pinned for 神经网络."""
    address = f"/v1/collections/{NAME}"
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for place, title in enumerate(TITLES):
            body = {"title": title, "fields": {"keywords": ["神经网络"] if place == 0 else []}}
            http.put(f"{address}/documents/w{place}", json=body).raise_for_status()
        pins = {"queries": [{"query": "神经网络", "pinned": ["w2"]}]}
        http.put(f"{address}/query-rules", json=pins).raise_for_status()
        stack.await_suggestions(NAME)
        yield f"?c={NAME}"
        http.delete(address)


def typed(page: Page, text: str, **kind: Any) -> tuple[Locator, Locator]:
    """The box with a text in it, and its options."""
    name = kind.get("name", "检索文献")
    box = page.get_by_role("combobox", name=name)
    box.press_sequentially(text, delay=20)
    return box, page.get_by_role("option").and_(page.locator(".suggestions li"))


def test_by_keyboard(open_page: OpenPage, words: str) -> None:
    page = open_page(words)
    box, options = typed(page, "sjwl")
    expect(options).to_have_text([re.compile("^神经网络"), "神经网络的可解释性题目"])
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "suggestions-1")
    page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") is None, "after the last comes the box"
    page.keyboard.press("ArrowUp")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(box).to_have_value(TITLES[0])
    expect(box).to_be_focused()
    expect(options).to_have_count(0)
    expect(page.locator(".hit-title").first).to_have_text(TITLES[0])
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".hit-title").first).to_be_focused()


def test_a_list_that_comes_late_leaves_the_choice(open_page: OpenPage, words: str) -> None:
    page = open_page(words)
    box, options = typed(page, "sjw")
    expect(options).to_have_count(2)
    late = Held(page, "**/suggestions?q=sjwl")
    box.press_sequentially("l")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    options.first.evaluate("option => { option.dataset.old = '' }")
    late.let_go()
    expect(page.locator(".suggestions li[data-old]")).to_have_count(0)
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "suggestions-1")


def test_escape_closes_the_list_and_then_empties_the_box(open_page: OpenPage, words: str) -> None:
    page = open_page(words)
    box, options = typed(page, "dongtu")
    expect(options).to_have_count(1)
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(box).to_have_value("dongtu")
    page.keyboard.press("Escape")
    expect(box).to_have_value("")


def test_by_pointer_and_without_for_operators(open_page: OpenPage, words: str) -> None:
    page = open_page(words)
    box, options = typed(page, "shuidao")
    options.first.click()
    expect(box).to_have_value(TITLES[2])
    box.fill("")
    typed(page, "神经 -水稻")
    expect(page.locator(".hit-title").first).to_be_visible()
    expect(options).to_have_count(0)


def test_did_you_mean_and_pinned(open_page: OpenPage, words: str) -> None:
    page = open_page(f"{words}&q=身经网络", locale="en-GB")
    meant = page.get_by_role("status").filter(has_text="Did you mean")
    meant.get_by_role("button", name="神经网络").click()
    expect(page.get_by_role("combobox", name="Search the literature")).to_have_value("神经网络")
    first = page.locator(".hit").first
    expect(first).to_have_attribute("data-id", "w2")
    expect(first).to_contain_text("Pinned")
    expect(page.locator(".hit").nth(1)).not_to_contain_text("Pinned")
    expect(meant).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_with_the_list_open(open_page: OpenPage, words: str, scheme: str) -> None:
    page = open_page(f"{words}&q=神经网络", color_scheme=scheme, viewport=PHONE)
    expect(page.locator(".hit").first).to_be_visible()
    box = page.get_by_role("combobox", name="检索文献")
    box.fill("")
    _, options = typed(page, "s")
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert findings(page) == []
