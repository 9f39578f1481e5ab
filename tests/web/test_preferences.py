"""Language, theme and key: chosen once, remembered as long as they should be."""

from playwright.sync_api import expect

from tests.web.browser import Held, Screenshots
from tests.web.conftest import OpenPage


def test_language_is_kept(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Find literature by what it means")
    page.reload()
    expect(page.get_by_role("link", name="Collections")).to_be_visible()
    expect(page).to_have_title("Xunwen · semantic search for Chinese literature")


def test_language_follows_the_browser(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page("?q=深度学习遥感图像", locale="en-GB", color_scheme="dark")
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.get_by_role("radio", name="Hybrid")).to_be_checked()
    screenshots.take(page, "search-english-dark")


def test_theme_is_kept(open_page: OpenPage) -> None:
    page = open_page()
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="主题：跟随系统").click()
    page.get_by_role("button", name="主题：浅色").click()
    expect(page.get_by_role("button", name="主题：深色")).to_be_focused()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    page.get_by_role("button", name="主题：深色").click()
    assert page.evaluate(background) == light


def test_a_view_that_comes_late_leaves_the_focus_where_it_is(open_page: OpenPage) -> None:
    page = open_page("?view=health")
    late = Held(page, "**/search/view.js")
    page.get_by_role("link", name="检索", exact=True).click()
    page.get_by_role("button", name="主题：跟随系统").click()
    expect(page.get_by_role("button", name="主题：浅色")).to_be_focused()
    late.let_go()
    expect(page.get_by_role("combobox", name="检索文献")).to_be_visible()
    expect(page.get_by_role("button", name="主题：浅色")).to_be_focused()


def test_key_goes_with_each_call_and_stays_in_the_tab(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="API 密钥").click()
    page.get_by_label("密钥", exact=True).fill("xw_not_a_real_key")
    page.get_by_role("button", name="使用此密钥").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    with page.expect_request("**/v1/search") as sent:
        page.get_by_role("combobox", name="检索文献").fill("农业灌溉")
    assert sent.value.headers["authorization"] == "Bearer xw_not_a_real_key"
    stored = "[sessionStorage.getItem('xunwen.key'), localStorage.getItem('xunwen.key')]"
    assert page.evaluate(stored) == ["xw_not_a_real_key", None]
    page.get_by_role("button", name="API 密钥（已填写）").click()
    page.get_by_role("button", name="清除密钥").click()
    assert page.evaluate(stored) == [None, None]


def test_a_key_that_no_header_can_hold_is_not_accepted(open_page: OpenPage) -> None:
    """Each call would fail in the browser, as if the gateway were away."""
    page = open_page("?q=农业灌溉")
    expect(page.locator(".hit").first).to_be_visible()
    page.get_by_role("button", name="API 密钥").click()
    box = page.get_by_label("密钥", exact=True)
    box.fill("密钥：xw_1")
    page.get_by_role("button", name="使用此密钥").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert box.evaluate("it => it.validity.patternMismatch && it.title.includes('半角')")
    box.fill(" xw_not_a_real_key ")
    page.get_by_role("button", name="使用此密钥").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".hit").first).to_be_visible()
