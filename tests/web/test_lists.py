"""Counts, orders, operators and pages on the page, against the real system."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stack import Stack
from tests.web.conftest import OpenPage

NAME = "web_shelf"
TITLES = ("水稻的抗旱基因", "水稻稻瘟病防治", "小麦的抗旱研究", "玉米种植密度")


@pytest.fixture(scope="module")
def shelf(stack: Stack) -> Iterator[str]:
    """The address of a small collection with years."""
    address = f"/v1/collections/{NAME}"
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for place, title in enumerate(TITLES):
            fields = {"year": 2010 + place, "journal": ("作物学报", "植物保护")[place % 2]}
            http.put(f"{address}/documents/w{place}", json={"title": title, "fields": fields})
        yield f"?c={NAME}"
        http.delete(address)


def titles(page: Page) -> list[str]:
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    return page.locator(".hit-title").all_inner_texts()


def test_counts_orders_and_operators(open_page: OpenPage, shelf: str) -> None:
    page = open_page(f"{shelf}&q=抗旱")
    journals = page.get_by_role("group", name="期刊").locator("li")
    expect(journals).to_have_count(2)
    assert journals.locator(".count").all_inner_texts() == ["2", "2"]
    expect(page.get_by_text("计数取自召回的 4 篇")).to_be_visible()
    order = page.get_by_role("combobox", name="排序依据")
    order.select_option("年份：从大到小")
    expect(page).to_have_url(re.compile("sort=-year"))
    expect(page.locator(".hit-title").first).to_have_text(TITLES[3])
    assert titles(page) == list(reversed(TITLES))

    box = page.get_by_role("combobox", name="检索文献")
    box.fill('year:..2012 "水稻" -稻瘟病')
    box.press("Enter")
    expect(page.locator(".understood")).to_contain_text("含“水稻”")
    expect(page.locator(".understood")).to_contain_text("不含 稻瘟病")
    expect(page.locator(".understood")).to_contain_text("年份：–2012")
    assert titles(page) == [TITLES[0]]

    box.fill("journal:作物学报")
    box.press("Enter")
    expect(page.get_by_text("共 2 篇")).to_be_visible()
    expect(page.get_by_text("计数取自全部 2 篇")).to_be_visible()

    box.fill("yaer:2012")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("did you mean `year`")


def test_newer_years_come_first_among_the_relevant(open_page: OpenPage, shelf: str) -> None:
    page = open_page(f"{shelf}&q=抗旱")
    order = page.get_by_role("combobox", name="排序依据")
    expect(order).to_be_visible()
    titles(page)
    with page.expect_request(lambda asked: "boosts" in (asked.post_data or "")) as asked:
        order.select_option("按相关度，新者优先（年份）")
    body = asked.value.post_data_json or {}
    assert body["boosts"] == [{"field": "year", "recency": "5y", "factor": 5}]
    assert "sort" not in body
    expect(page).to_have_url(re.compile(r"sort=(\*|%2A)year"))
    expect(page.get_by_role("checkbox", name="排序")).to_be_visible()
    assert len(titles(page)) == len(TITLES)
    page.reload()
    expect(order).to_have_value("*year")
    assert len(titles(page)) == len(TITLES)


def test_an_empty_answer_says_what_to_loosen(open_page: OpenPage, shelf: str) -> None:
    page = open_page(f"{shelf}&f.journal=作物学报")
    box = page.get_by_role("combobox", name="检索文献")
    box.fill('小麦 "玉米的品质"')
    box.press("Enter")
    expect(page.get_by_role("heading", name="没有找到相符的文献")).to_be_visible()
    expect(page.get_by_role("button", name="清除筛选")).to_be_visible()
    page.get_by_role("button", name="去掉引号与排除的词再检索").click()
    expect(page.locator(".hit")).to_have_count(2)
    expect(box).to_have_value("小麦 玉米的品质")


def test_of_several_filters_the_one_that_hinders_is_named(open_page: OpenPage, shelf: str) -> None:
    page = open_page(f"{shelf}&q=水稻&f.journal=作物学报&r.year=1990..1995")
    expect(page.get_by_role("heading", name="没有找到相符的文献")).to_be_visible()
    page.get_by_role("button", name="不限年份：2 篇").click()
    expect(page.locator(".hit")).to_have_count(2)


def test_help_opens_by_keyboard(open_page: OpenPage) -> None:
    page = open_page()
    summary = page.get_by_text("检索式写法")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("year:2015..2020")).to_be_visible()


def test_pages_follow_the_first_hits(open_page: OpenPage) -> None:
    page = open_page("?q=控制系统设计")
    for _ in range(4):
        page.get_by_role("button", name=re.compile("再看")).click()
    expect(page.locator(".hit")).to_have_count(50)
    page.get_by_role("button", name="下一页").click()
    expect(page.locator(".hit").nth(51)).to_be_visible()
    ids = page.locator(".hit").evaluate_all("hits => hits.map((hit) => hit.dataset.id)")
    assert len(ids) == len(set(ids))
    assert page.locator(".hit-title").nth(50).evaluate("it => it === document.activeElement")


def test_both_ends_of_a_range_are_typed_at_the_speed_of_a_reader(
    open_page: OpenPage, shelf: str
) -> None:
    """The answer for the first end comes while the second one is being typed."""
    page = open_page(f"{shelf}&q=抗旱")
    low, high = page.get_by_label("年份：从"), page.get_by_label("年份：到")
    expect(low).to_be_visible()
    titles(page)
    low.press_sequentially("2011", delay=60)
    low.press("Tab")
    expect(high).to_be_focused()
    high.press_sequentially("201")
    expect(page).to_have_url(re.compile(r"r\.year=2011\.\."))
    expect(page.locator(".chip.on")).to_have_count(1)
    page.keyboard.type("2")
    expect(page.locator(".hit")).to_have_count(2)
    assert set(titles(page)) == set(TITLES[1:3])
    assert (low.input_value(), high.input_value()) == ("2011", "2012")
    page.go_back()
    expect(high).not_to_have_value("2012")


def at_the_end_of_the_first_hits(page: Page) -> Locator:
    """The button for the hits that follow."""
    for _ in range(4):
        page.get_by_role("button", name=re.compile("再看")).click()
    return page.get_by_role("button", name="下一页")


def test_a_page_that_is_asked_for_twice_comes_once(open_page: OpenPage) -> None:
    page = open_page("?q=控制系统设计")
    following = at_the_end_of_the_first_hits(page)
    page.route("**/v1/search", lambda route: None)  # it waits until the route is removed
    following.click()
    following.click()
    page.unroute("**/v1/search")
    expect(page.locator(".hit").nth(51)).to_be_visible()
    page.wait_for_timeout(500)
    ids = page.locator(".hit").evaluate_all("hits => hits.map((hit) => hit.dataset.id)")
    assert len(ids) == len(set(ids))


def test_a_page_that_fails_can_be_asked_for_again(open_page: OpenPage) -> None:
    page = open_page("?q=控制系统设计")
    following = at_the_end_of_the_first_hits(page)
    page.context.set_offline(True)
    following.click()
    foot = page.locator(".more")
    expect(foot.get_by_role("alert")).to_contain_text("连不上网关")
    expect(foot.get_by_role("button", name="重试")).to_be_focused()
    page.context.set_offline(False)
    foot.get_by_role("button", name="重试").click()
    expect(page.locator(".hit").nth(51)).to_be_visible()


def test_of_more_than_a_hundred_hits_the_first_hundred_are_cited(open_page: OpenPage) -> None:
    page = open_page("?q=控制系统设计")
    at_the_end_of_the_first_hits(page).click()
    following = page.get_by_role("button", name=re.compile("下一页|再看"))
    while page.locator(".hit").count() <= 100:
        count = page.locator(".hit").count()
        following.click()
        expect(page.locator(".hit").nth(count)).to_be_visible()
    page.get_by_role("button", name="引用全部").click()
    dialog = page.get_by_role("dialog", name="100 条参考文献")
    text = dialog.get_by_role("textbox", name="参考文献文本")
    expect(text).to_have_value(re.compile(r"^\[100\] ", re.MULTILINE))
    expect(dialog.locator(".notice")).to_contain_text("前 100 条")
