"""The whole way to an explained hit without a pointer."""

from playwright.sync_api import expect

from tests.web.conftest import OpenPage


def test_keyboard_only(open_page: OpenPage) -> None:
    page = open_page()
    box = page.get_by_role("combobox", name="检索文献")
    page.locator("body").click(position={"x": 5, "y": 400})
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("桥梁结构")
    page.keyboard.press("Enter")
    titles = page.locator(".hit-title")
    expect(titles.nth(2)).to_be_visible()
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    page.keyboard.press("ArrowDown")
    expect(titles.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(titles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(box).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("第 2 条的得分")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(titles.nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_have_value("")
    expect(page.locator(".hero")).to_be_visible()


def test_views_and_help_by_key(open_page: OpenPage) -> None:
    page = open_page("?view=health")
    expect(page.locator(".part").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="键盘快捷键")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.get_by_role("heading", level=1)).to_have_text("向量")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="检索文献")).to_be_focused()


def test_tab_reaches_the_content_past_the_frame(open_page: OpenPage) -> None:
    page = open_page("?view=collections")
    expect(page.locator(".collection").first).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="跳到内容")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="新建文献集")).to_be_focused()


def test_the_focus_stays_on_the_link_of_a_view(open_page: OpenPage) -> None:
    page = open_page("?view=health")
    expect(page.locator(".part").first).to_be_visible()
    link = page.get_by_role("link", name="文献集", exact=True)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".collection").first).to_be_visible()
    expect(link).to_be_focused()
    expect(link).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("status").filter(has_text="文献集")).to_have_count(1)
