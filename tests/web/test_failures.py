"""What the page shows while parts of the system are away."""

from pathlib import Path

from playwright.sync_api import expect

from tests.stack import Stack
from tests.web.browser import Screenshots
from tests.web.conftest import OpenPage


def test_degraded_banner_without_rank(
    open_page: OpenPage, screenshots: Screenshots, stack: Stack
) -> None:
    with stack.without("rank"):
        page = open_page("?q=页岩气储层的压裂改造")
        banner = page.locator("[data-degraded]")
        expect(banner).to_contain_text("结果有所降级")
        expect(banner).to_contain_text("精排")
        expect(page.locator(".hit").first).to_be_visible()
        screenshots.take(page, "degraded")
        page.goto("/?view=health")
        expect(page.locator("[data-part=rank]")).to_contain_text("未就绪")
        expect(page.locator("[data-part=recall] .badge")).to_have_text("就绪")
        expect(page.locator(".pulse")).to_contain_text("未就绪")
        screenshots.take(page, "health")
    expect(page.locator("[data-part=rank] .badge")).to_have_text("就绪")


def test_error_state_without_recall(
    open_page: OpenPage, screenshots: Screenshots, stack: Stack
) -> None:
    with stack.without("recall"):
        page = open_page("?q=盐碱地改良的生物措施")
        problem = page.locator(".state.problem")
        expect(problem.get_by_role("heading")).to_be_visible()
        expect(problem.locator("dl")).to_contain_text("请求编号")
        expect(problem.get_by_role("link", name="查看各部件状态")).to_be_visible()
        expect(problem.get_by_role("button", name="重试")).to_be_visible()
        screenshots.take(page, "error")
    # The button presses itself when the time is up that the gateway names, here perhaps already.
    expect(page.locator(".hit").first).to_be_visible()


def test_gateway_out_of_reach(open_page: OpenPage) -> None:
    page = open_page("?q=草原生态")
    expect(page.locator(".hit").first).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("combobox", name="检索文献").fill("草原生态补偿")
    expect(page.get_by_role("heading", name="连不上网关")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="重试").click()
    expect(page.locator(".hit").first).to_be_visible()


def test_an_answer_that_breaks_off_is_told(open_page: OpenPage) -> None:
    page = open_page()
    page.add_init_script(
        "Response.prototype.json = async () => { throw new TypeError('network error') }"
    )
    page.goto("?q=草原生态")
    expect(page.get_by_role("alert").get_by_role("heading", name="连不上网关")).to_be_visible()


def test_a_page_of_another_server_in_the_place_of_an_answer_is_told(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    for path in ("**/v1/search", "**/v1/index-jobs?*collection=*"):
        page.route(path, lambda route: route.fulfill(content_type="text/html", body="<html>"))
    told = page.get_by_role("alert").filter(has_text="回答的不是网关")
    page.goto("?q=草原生态")
    expect(told).to_be_visible()
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "1", "title": "a"}')
    page.goto("?view=jobs")
    page.get_by_label("文献集", exact=True).fill("web_foreign")
    page.get_by_label("选择文件", exact=True).set_input_files(file)
    expect(told).to_be_visible()


def test_a_view_whose_code_does_not_come_says_so_and_comes_later(open_page: OpenPage) -> None:
    page = open_page("?q=草原生态")
    expect(page.locator(".hit").first).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("link", name="状态", exact=True).click()
    problem = page.get_by_role("alert")
    expect(problem.get_by_role("heading", name="连不上网关")).to_be_visible()
    expect(page.locator(".hit")).to_have_count(0)
    problem.get_by_role("button", name="重试").click()
    expect(problem.get_by_role("heading", name="连不上网关")).to_be_visible()
    page.get_by_role("link", name="检索", exact=True).click()
    expect(page.get_by_role("combobox", name="检索文献")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("link", name="状态", exact=True).click()
    problem.get_by_role("button", name="重试").click()
    expect(page.locator(".part").first).to_be_visible()


def test_a_countdown_is_not_read_out_at_each_second(open_page: OpenPage) -> None:
    page = open_page()
    refusal = {"code": "overloaded", "detail": "Too many."}
    page.route(
        "**/v1/search",
        lambda route: route.fulfill(status=503, headers={"retry-after": "9"}, json=refusal),
    )
    page.goto("?q=草原生态")
    retry = page.get_by_role("alert").get_by_role("button", name="重试")
    expect(retry).to_contain_text("7 秒后自动")
    told = "it => it.closest('[aria-live], [role=alert], [role=status]').getAttribute('aria-live')"
    assert retry.locator("span").evaluate(told) == "off"
