"""Searching on the page, against the real system."""

import re

import httpx
from playwright.sync_api import Page, Route, expect

from tests.stack import Stack
from tests.web.browser import Screenshots
from tests.web.conftest import OpenPage

TITLE = "一种基于平方和优化的飞行器大角度机动镇定控制器设计方法"
QUERY = "飞行器姿态控制"


def hits(page: Page) -> int:
    expect(page.locator(".hit").first).to_be_visible()
    return page.locator(".hit").count()


def test_search_as_you_type(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_have_text("按意思，找文献")
    expect(page.get_by_text("篇文献可检索")).to_be_visible()
    screenshots.take(page, "home")
    page.get_by_role("combobox", name="检索文献").press_sequentially(TITLE, delay=5)
    expect(page.locator(".hit-title").first).to_have_text(TITLE)
    expect(page.locator(".hit mark").first).to_be_visible()
    expect(page.locator(".hit-meta .chip.strong").first).to_have_text("兵器科学与技术")
    expect(page.locator(".hit-meta").first).to_contain_text("平方和优化")
    expect(page.locator(".stage-legend")).to_contain_text("粗排")
    expect(page.locator(".hit-scores .bar").first).to_contain_text("语义")
    assert "q=" in page.url
    screenshots.take(page, "search")


def test_the_summary_counts_a_candidate_of_both_legs_once(
    open_page: OpenPage, stack: Stack
) -> None:
    page = open_page(f"?q={QUERY}")
    assert hits(page)
    body = {"query": QUERY, "top_k": 50, "syntax": "fields"}
    total = httpx.post(f"{stack.url}/v1/search", json=body, timeout=60).json()["total"]
    expect(page.locator(".summary")).to_contain_text(f"取自 {total:,} 个候选")


def test_typing_asks_for_the_last_text_only(open_page: OpenPage) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.post_data or "") if "/v1/search" in r.url else None)
    page.get_by_role("combobox", name="检索文献").press_sequentially("水产养殖的水质", delay=20)
    assert hits(page)
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    assert len(asked) < len("水产养殖的水质"), "each keystroke was a search"
    assert "水产养殖的水质" in asked[-1]


def test_back_button_returns_to_the_last_search(open_page: OpenPage) -> None:
    page = open_page(f"?q={QUERY}")
    assert hits(page)
    box = page.get_by_role("combobox", name="检索文献")
    box.fill("果蔬采后保鲜")
    expect(page).to_have_url(re.compile("%E6%9E%9C"))
    box.press("Enter")
    page.go_back()
    expect(box).to_have_value(QUERY)
    assert hits(page)
    page.go_forward()
    expect(box).to_have_value("果蔬采后保鲜")


def test_a_link_in_gb18030_searches_what_it_says(open_page: OpenPage) -> None:
    page = open_page("?q=%B6%B3%CD%C1%D1%A7+a%2B&f.discipline=%CA%FD%D1%A7")
    expect(page.get_by_role("combobox", name="检索文献")).to_have_value("冻土学 a+")
    expect(page.get_by_role("button", name="去掉筛选：学科 数学")).to_be_visible()


def test_a_percent_sign_in_a_link_is_one(open_page: OpenPage) -> None:
    page = open_page("?q=冻土 100%")
    expect(page.get_by_role("combobox", name="检索文献")).to_have_value("冻土 100%")


def test_filter_with_counts(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?q={QUERY}")
    assert hits(page)
    facet = page.get_by_role("group", name="学科").locator("li").first
    name = facet.locator("span").first.inner_text()
    counted = int(facet.locator(".count").inner_text())
    facet.get_by_role("checkbox").check()
    expect(page.get_by_role("button", name=f"去掉筛选：学科 {name}")).to_be_visible()
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    facts = page.locator(".hit-meta .chip.strong[title=学科]").all_inner_texts()
    assert set(facts) == {name}
    assert counted >= 1
    assert "f.discipline=" in page.url
    others = page.get_by_role("group", name="学科").locator("li")
    assert others.count() > 1, "the other values must stay to choose from"
    screenshots.take(page, "filter")
    page.reload()
    expect(page.get_by_role("button", name=f"去掉筛选：学科 {name}")).to_be_visible()
    page.get_by_role("button", name=f"去掉筛选：学科 {name}").click()
    expect(page.locator(".chip.on")).to_have_count(0)
    assert "f.discipline" not in page.url


def test_a_keyword_of_a_hit_becomes_a_filter(open_page: OpenPage) -> None:
    page = open_page(f"?q={TITLE}")
    page.get_by_role("button", name="平方和优化", exact=True).first.click()
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit-title")).to_have_text(TITLE)


def test_explain(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?q={TITLE}")
    page.locator(".hit-title").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="第 1 条的得分")).to_be_visible()
    expect(drawer.locator(".explain-step")).not_to_have_count(0)
    expect(drawer.locator(".explain-text")).to_contain_text("Rodrigues")
    features = drawer.locator("table tbody tr")
    expect(features.first).to_be_visible()
    assert features.count() > drawer.locator(".explain-step").count()
    screenshots.take(page, "explain")
    drawer.get_by_role("button", name="下一条").click()
    expect(drawer.get_by_role("heading", name="第 2 条的得分")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page.locator(".hit-title").first).to_be_focused()


def test_similar_documents_from_the_drawer(open_page: OpenPage) -> None:
    page = open_page(f"?q={TITLE}")
    page.locator(".hit-title").first.click()
    page.get_by_role("link", name="查找相似文献").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name=f"与《{TITLE}》相近的文献")).to_be_visible()
    expect(page.get_by_role("radiogroup")).to_have_count(0)
    assert hits(page) > 1
    assert TITLE not in page.locator(".hit-title").all_inner_texts()
    assert "like=csl-dev-00000" in page.url
    page.locator(".hit-title").first.click()
    expect(page.get_by_role("dialog").locator("table tbody tr").first).to_contain_text("dense")
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="检索文献").fill("果蔬采后保鲜")
    expect(page.get_by_role("radiogroup")).to_be_visible()
    assert "like=" not in page.url


def test_citations_of_chosen_hits(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?q={QUERY}")
    assert hits(page) > 1
    page.get_by_role("checkbox", name=re.compile("^选取：")).nth(1).check()
    page.get_by_role("button", name="引用选中的 1 条").click()
    dialog = page.get_by_role("dialog")
    title = page.locator(".hit-title").nth(1).inner_text()
    text = dialog.get_by_role("textbox", name="参考文献文本")
    expect(text).to_have_value(re.compile(rf"^\[1\] .*{re.escape(title)}.*\n$"))
    screenshots.take(page, "cite")
    dialog.get_by_role("radio", name="RIS 文件").check()
    expect(text).to_have_value(re.compile(rf"TI  - {re.escape(title)}"))
    with page.expect_download() as saved:
        dialog.get_by_role("link", name="存为文件").click()
    assert saved.value.suggested_filename == "references.ris"
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name=re.compile("^选取：")).nth(1).uncheck()
    expect(page.get_by_role("button", name="引用全部")).to_be_visible()


def test_a_form_of_citations_that_comes_late_takes_no_others_place(open_page: OpenPage) -> None:
    page = open_page(f"?q={QUERY}")

    def answer(route: Route) -> None:
        if "gbt7714" not in (route.request.post_data or ""):
            route.fulfill(body="TI  - 题")

    page.route("**/v1/citations", answer)
    page.get_by_role("button", name="引用").first.click()
    dialog = page.get_by_role("dialog")
    with page.expect_event("requestfailed") as dropped:
        dialog.get_by_role("radio", name="RIS 文件").check()
    assert "gbt7714" in (dropped.value.post_data or "")
    expect(dialog.get_by_role("textbox", name="参考文献文本")).to_have_value("TI  - 题")


def test_modes(open_page: OpenPage) -> None:
    page = open_page(f"?q={TITLE}")
    assert hits(page)
    page.get_by_role("radio", name="词面").check()
    expect(page).to_have_url(re.compile("mode=lexical"))
    expect(page.get_by_role("radio", name="词面")).to_be_checked()
    expect(page.locator(".stage-legend")).not_to_contain_text("语义召回")
    expect(page.locator(".hit-title").first).to_have_text(TITLE)


def test_three_modes_side_by_side(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?q={QUERY}&mode=compare")
    for name in ("混合", "语义", "词面"):
        leg = page.get_by_role("region", name=name)
        expect(leg.locator(".leg-hit").first).to_be_visible()
    expect(page.locator(".compare-head .badge")).to_contain_text("条相同")
    first = page.locator(".leg[data-mode=hybrid] .leg-hit").first
    first.hover()
    identifier = first.get_attribute("data-id")
    same = page.locator(f".leg-hit.same[data-id='{identifier}']")
    assert same.count() == page.locator(f".leg-hit[data-id='{identifier}']").count()
    screenshots.take(page, "compare")


def test_a_leg_that_is_refused_for_now_is_asked_again(open_page: OpenPage) -> None:
    page = open_page()
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.fallback()
            return
        refused.append(route.request.url)
        route.fulfill(status=503, headers={"retry-after": "1"}, json={"code": "overloaded"})

    page.route("**/v1/search", refuse_once)
    page.goto(f"?q={QUERY}&mode=compare")
    for name in ("混合", "语义", "词面"):
        leg = page.get_by_role("region", name=name)
        expect(leg.locator(".leg-hit").first).to_be_visible()
    assert refused


def test_nothing_found(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page("?q=zzqqxxyy&mode=lexical")
    expect(page.get_by_role("heading", name="没有找到相符的文献")).to_be_visible()
    screenshots.take(page, "nothing-found")


def test_unknown_collection(open_page: OpenPage, screenshots: Screenshots) -> None:
    page = open_page(f"?q={QUERY}&c=no_such_thing")
    problem = page.get_by_role("alert")
    expect(problem.get_by_role("heading", name="没有这个文献集")).to_be_visible()
    expect(problem.get_by_role("link", name="去入库")).to_be_visible()
    screenshots.take(page, "unknown-collection")


def test_documents_are_text_not_markup(open_page: OpenPage) -> None:
    query = "<img src=x onerror=alert(1)>"
    page = open_page()
    page.get_by_role("combobox", name="检索文献").fill(query)
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    expect(page.locator("main img")).to_have_count(0)


def test_filters_that_were_closed_on_a_narrow_page_open_on_a_wide_one(open_page: OpenPage) -> None:
    """As a tablet is turned."""
    page = open_page(f"?q={QUERY}", viewport={"width": 820, "height": 1180})
    assert hits(page)
    expect(page.get_by_role("group", name="学科")).to_be_hidden()
    page.set_viewport_size({"width": 1180, "height": 820})
    page.locator(".facets summary").click()
    expect(page.get_by_role("group", name="学科")).to_be_visible()


def test_a_title_reads_in_the_direction_of_its_script(open_page: OpenPage, stack: Stack) -> None:
    """Uyghur and Arabic titles with Chinese words and marks in them begin on the right."""
    address = "/v1/collections/web_scripts"
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        title = "كتاب عن المراعي: دراسة 草原 في الصين!"
        http.put(f"{address}/documents/a", json={"title": title, "text": title}).raise_for_status()
        try:
            page = open_page("?c=web_scripts&q=草原")
            for part in (".hit-title", ".hit-text"):
                first, last = page.locator(part).evaluate(
                    """it => {
                      const [range, ends] = [document.createRange(), [it.firstChild, it.lastChild]];
                      return ends.map((node, end) => {
                        const at = end ? node.length - 1 : 0;
                        range.setStart(node, at);
                        range.setEnd(node, at + 1);
                        return range.getBoundingClientRect().x;
                      });
                    }"""
                )
                assert first > last
        finally:
            http.delete(address)
