"""Collections on the page: create, rebuild, roll back, delete."""

from playwright.sync_api import expect

from tests.stack import DOCUMENTS
from tests.web.browser import Screenshots
from tests.web.conftest import OpenPage


def test_what_a_collection_tells(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page("?view=collections")
    card = page.locator(".collection[data-name=literature]")
    expect(card.get_by_text(f"{DOCUMENTS}", exact=True)).to_be_visible()
    for fact in ("编码器", "维度", "索引版本", "物理索引"):
        expect(card.locator("dt", has_text=fact)).to_be_visible()
    screenshots.take(page, "collections")
    card.get_by_role("link", name="检索").click()
    expect(page.get_by_role("combobox", name="文献集")).to_have_value("literature")


def test_create_rebuild_roll_back_delete(open_page: OpenPage) -> None:
    page = open_page("?view=collections")
    page.get_by_role("button", name="新建文献集").click()
    page.get_by_role("dialog").get_by_label("文献集").fill("web_life")
    types = page.get_by_role("dialog").get_by_label("字段类型")
    types.fill("year number")
    page.get_by_role("button", name="新建", exact=True).click()
    assert not types.evaluate("input => input.validity.valid")
    types.fill("year=number 学科=keyword")
    page.get_by_role("button", name="新建", exact=True).click()
    card = page.locator(".collection[data-name=web_life]")
    expect(card).to_be_visible()
    expect(card).to_contain_text("year 数字, 学科 关键词")
    page.evaluate(
        """() => fetch("v1/collections/web_life/documents/1", {
             method: "PUT", headers: {"content-type": "application/json"},
             body: JSON.stringify({title: "退耕还林与水土保持"})})"""
    )
    page.reload()
    before = card.locator("code").last.inner_text()

    card.get_by_role("button", name="重建").click()
    page.get_by_role("dialog").get_by_role("button", name="重建").click()
    job = page.locator(".job", has_text="web_life").first
    expect(job.locator(".badge")).to_have_text("已完成")

    page.goto("/?view=collections")
    expect(card).to_contain_text("1")
    expect(card.locator("code").last).not_to_have_text(before)
    card.get_by_role("button", name="回滚").click()
    page.get_by_role("dialog").get_by_role("button", name="回滚").click()
    expect(card.locator("code").last).to_have_text(before)

    card.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="取消").click()
    expect(card).to_be_visible()
    card.get_by_role("button", name="删除").click()
    page.get_by_role("dialog").get_by_role("button", name="删除").click()
    expect(card).to_have_count(0)
