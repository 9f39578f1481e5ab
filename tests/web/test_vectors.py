"""Text to vector."""

import json

import pytest
from playwright.sync_api import expect

from tests.web.browser import Screenshots
from tests.web.conftest import OpenPage

A, B = "中西方语言与文化的差异", "英汉翻译中的文化因素"


def test_vector_of_a_text(open_page: OpenPage) -> None:
    page = open_page("?view=vectors")
    expect(page.get_by_role("heading", name="写一段文字")).to_be_visible()
    page.get_by_label("文字甲").fill(A)
    strip = page.get_by_role("img", name="甲 的向量热图")
    expect(strip).to_be_visible()
    expect(page.locator(".nearest li")).not_to_have_count(0)
    strip.hover(position={"x": 4, "y": 4})
    expect(page.locator(".strip figcaption")).to_contain_text("第 1 维：")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="复制为 JSON").click()
    expect(page.locator(".toast")).to_have_text("已复制")
    vector = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-3)


def test_two_texts_compared(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?view=vectors&a={A}&b={B}")
    expect(page.locator(".strip")).to_have_count(3)
    expect(page.locator(".nearest li").first).to_be_visible()
    near = float(page.locator(".cosine output").inner_text())
    screenshots.take(page, "vectors")
    page.get_by_label("文字乙").fill("混凝土桥梁的抗震加固")
    expect(page.locator(".cosine output")).not_to_have_text(f"{near:.4f}")
    far = float(page.locator(".cosine output").inner_text())
    assert -1 <= far < near <= 1
    page.get_by_label("文字乙").fill(A)
    expect(page.locator(".cosine output")).to_have_text("1.0000")
