"""Bulk indexing on the page: from a dropped file to a finished job."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.web.browser import Held, Screenshots
from tests.web.conftest import OpenPage


def lines(count: int, start: int = 0) -> str:
    return "".join(
        json.dumps(
            {
                "id": f"p{n}",
                "title": f"第{n}号水文站的流量",
                "text": f"第{n}站的日均径流观测。" * 8,
            },
            ensure_ascii=False,
        )
        + "\n"
        for n in range(start, start + count)
    )


def choose(page: Page, collection: str, *files: Path) -> None:
    page.get_by_label("文献集", exact=True).fill(collection)
    page.get_by_label("选择文件", exact=True).set_input_files(files)


def test_upload_to_finished(open_page: OpenPage, screenshots: Screenshots, tmp_path: Path) -> None:
    file = tmp_path / "stations.jsonl"
    file.write_text(lines(60) + '{"id": "bad"}\nnot json\n' + lines(1), encoding="utf-8")
    page = open_page("?view=jobs")
    choose(page, "web_stations", file)
    job = page.locator(".job", has_text="web_stations").first
    expect(job.locator(".badge")).to_have_text("已完成，有拒收")
    counts = {
        name: job.locator(f"[data-count={name}] dd").inner_text()
        for name in ("read", "indexed", "rejected", "deduplicated")
    }
    assert counts == {"read": "63", "indexed": "60", "rejected": "2", "deduplicated": "1"}
    job.get_by_role("button", name="查看拒收的行").click()
    rows = page.get_by_role("dialog").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("61")
    screenshots.take(page, "rejected-lines")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载全部").click()
    saved = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["line"] for line in saved] == [61, 62]
    page.keyboard.press("Escape")
    job.get_by_role("link", name="检索该文献集").click()
    page.get_by_role("combobox", name="检索文献").fill("第7号水文站")
    expect(page.locator(".hit-title").first).to_contain_text("水文站")


def test_dropped_file(open_page: OpenPage) -> None:
    page = open_page("?view=jobs")
    page.get_by_label("文献集", exact=True).fill("web_dropped")
    data = page.evaluate_handle(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], "dropped.txt", {type: "text/plain"}));
          return data;
        }""",
        "冻土区路基的变形\n高原铁路的养护\n",
    )
    page.dispatch_event(".dropzone", "drop", {"dataTransfer": data})
    job = page.locator(".job", has_text="web_dropped").first
    expect(job.locator(".badge")).to_have_text("已完成")
    expect(job.locator("[data-count=indexed] dd")).to_have_text("2")


def test_dropped_papers_become_one_job(open_page: OpenPage) -> None:
    """Papers go together, each under its name; a file of no known format is told."""
    page = open_page("?view=jobs")
    page.get_by_label("文献集", exact=True).fill("web_papers")
    data = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["# 冻土区路基的变形\\n\\n内容。"], "冻土.md"));
          data.items.add(new File(["<h1>水稻育种</h1><p>内容。</p>"], "水稻.html"));
          data.items.add(new File(["x"], "photo.png"));
          return data;
        }"""
    )
    page.dispatch_event(".dropzone", "drop", {"dataTransfer": data})
    job = page.locator(".job", has_text="web_papers").first
    expect(job.locator(".badge")).to_have_text("已完成，有拒收")
    expect(job.locator("[data-count=indexed] dd")).to_have_text("2")
    job.get_by_role("button", name="查看拒收的行").click()
    expect(page.get_by_role("dialog")).to_contain_text("photo.png")
    expect(page.get_by_role("dialog")).to_contain_text("no format that is read")


def test_a_folder_is_chosen_with_its_paths(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "papers" / "2024").mkdir(parents=True)
    (tmp_path / "papers" / "2024" / "a.md").write_text("# 高原湖泊的水质", encoding="utf-8")
    (tmp_path / "papers" / "b.md").write_text("# 草原的生态", encoding="utf-8")
    page = open_page("?view=jobs")
    page.get_by_label("文献集", exact=True).fill("web_folder")
    page.locator("input[type=file]").nth(1).set_input_files(tmp_path / "papers")
    job = page.locator(".job", has_text="web_folder").first
    expect(job.locator(".badge")).to_have_text("已完成")
    page.goto(page.url.split("?")[0] + "v1/collections/web_folder/documents/2024%2Fa.md")
    expect(page.locator("body")).to_contain_text("高原湖泊的水质")


def test_cancel_and_retry(open_page: OpenPage, screenshots: Screenshots, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text(lines(20_000), encoding="utf-8")
    page = open_page("?view=jobs")
    choose(page, "web_many", file)
    job = page.locator(".job", has_text="web_many").first
    cancel = job.get_by_role("button", name="取消任务")
    expect(job.get_by_role("progressbar")).to_be_visible()
    screenshots.take(page, "job-running")
    cancel.click()
    expect(job.locator(".badge")).to_have_text("已取消")
    job.get_by_role("button", name="重试").click()
    again = page.locator(".job", has_text="web_many").filter(has_text="取消任务").first
    again.get_by_role("button", name="取消任务").click()
    expect(page.locator(".job", has_text="web_many").filter(has_text="取消任务")).to_have_count(0)


def test_unknown_format_is_refused_before_sending(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "thesis.pptx"
    file.write_bytes(b"PK")
    page = open_page("?view=jobs")
    choose(page, "literature", file)
    expect(page.get_by_role("alert")).to_contain_text("thesis.pptx：看不出格式")


def test_a_table_with_other_names(
    open_page: OpenPage, screenshots: Screenshots, tmp_path: Path
) -> None:
    file = tmp_path / "文献.csv"
    file.write_text(
        '编号,标题,摘要,年份,学科\nA1,冻土区路基的变形,"用光纤测量,逐年对比",2019,土木工程\n'
        "A2,水稻稻瘟病的识别,在田间拍摄叶片,2021,农学\n",
        encoding="utf-8",
    )
    page = open_page("?view=jobs")
    choose(page, "web_table", file)
    dialog = page.get_by_role("dialog", name="文献.csv 的各列")
    roles = {"编号": "id", "标题": "title", "摘要": "text", "年份": "field", "学科": "field"}
    for column, role in roles.items():
        expect(dialog.get_by_label(f"{column} 用作")).to_have_value(role)
    expect(dialog).to_contain_text("用光纤测量,逐年对比")
    dialog.get_by_label("年份 的字段名").fill("year")
    dialog.get_by_label("学科 的字段名").fill("year")
    dialog.get_by_role("button", name="上传").click()
    expect(dialog.get_by_role("alert")).to_have_text("有两个字段同名。")
    dialog.get_by_label("学科 用作").select_option("none")
    expect(dialog.get_by_label("学科 的字段名")).to_be_hidden()
    expect(dialog.get_by_role("alert")).to_have_count(0)
    screenshots.take(page, "columns")
    dialog.get_by_role("button", name="上传").click()
    job = page.locator(".job", has_text="web_table").first
    expect(job.locator(".badge")).to_have_text("已完成")
    expect(job.locator("[data-count=indexed] dd")).to_have_text("2")
    found = page.request.post(
        "v1/search",
        data={"query": "路基", "collection": "web_table", "filter": {"year": {"gte": 2019}}},
    ).json()
    assert found["hits"][0]["fields"] == {"year": 2019}
    assert found["hits"][0]["text"] == "用光纤测量,逐年对比"


def test_leaving_the_columns_uploads_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "left.tsv"
    file.write_text("no\t题目\n1\t冻土\n", encoding="utf-8")
    page = open_page("?view=jobs")
    choose(page, "web_left", file)
    page.get_by_role("dialog").get_by_role("button", name="取消").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.request.get("v1/index-jobs?collection=web_left").json()["jobs"] == []


def test_a_table_with_the_expected_names_is_sent_at_once(
    open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "plain.csv"
    file.write_text("id,title,year\n1,冻土,2020\n", encoding="utf-8")
    page = open_page("?view=jobs")
    choose(page, "web_plain", file)
    job = page.locator(".job", has_text="web_plain").first
    expect(job.locator(".badge")).to_have_text("已完成")


def test_an_upload_is_stopped_while_it_is_sent(open_page: OpenPage, tmp_path: Path) -> None:
    """Its card shows new progress many times during one press."""
    file = tmp_path / "large.jsonl"
    file.write_text(lines(12_000), encoding="utf-8")
    page = open_page("?view=jobs")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    choose(page, "web_stopped", file)
    stop = page.get_by_role("button", name="停止上传")
    expect(page.locator("[data-upload] .progress")).to_contain_text("上传中")
    stop.focus()
    stop.click(delay=400)
    expect(page.locator("[data-upload]")).to_have_count(0)
    page.context.set_offline(False)
    assert page.request.get("v1/index-jobs?collection=web_stopped").json()["jobs"] == []


def job_of(state: str, indexed: int) -> dict[str, Any]:
    """A job as the API tells of it; its id is its state."""
    counts = {"read": 999, "indexed": indexed, "rejected": 0, "deduplicated": 0}
    about = {"id": state, "state": state, "collection": "papers", "mode": "upsert", "format": "csv"}
    times = {"created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None}
    rest = {"message": None, "rate": None, "eta_seconds": None}
    return {**about, **times, **rest, "counts": counts, "total": 999}


def test_a_press_a_choice_and_the_focus_outlast_a_poll(open_page: OpenPage) -> None:
    page = open_page()
    polls: list[str] = []
    cancelled: list[str] = []

    def answer(route: Route) -> None:
        polls.append(route.request.url)
        jobs = [job_of("running", len(polls)), job_of("succeeded", 999)]
        route.fulfill(json={"jobs": jobs, "next": None})

    def cancel(route: Route) -> None:
        cancelled.append(route.request.url)
        route.fulfill(status=409, json={"code": "conflict", "detail": "It has ended."})

    def after_polls() -> None:
        count = len(polls)
        while len(polls) < count + 2:
            page.wait_for_timeout(50)

    page.route("**/v1/index-jobs", answer)
    page.route("**/v1/index-jobs/running:cancel", cancel)
    page.goto("/?view=jobs")
    button = page.get_by_role("button", name="取消任务")
    button.hover()
    page.mouse.down()
    after_polls()
    page.mouse.up()
    expect(page.locator(".toast")).to_contain_text("It has ended.")
    assert len(cancelled) == 1
    button.focus()
    ended = page.locator(".job[data-id=succeeded] code")
    ended.evaluate("it => getSelection().selectAllChildren(it)")
    after_polls()
    expect(button).to_be_focused()
    assert page.evaluate("getSelection().toString()") == "succeeded"
    shown = int(page.locator(".job[data-id=running] [data-count=indexed] dd").inner_text())
    assert shown >= len(polls) - 1


@pytest.mark.parametrize(("view", "called"), [("jobs", "v1/index-jobs"), ("health", "readyz")])
def test_the_focus_stays_on_the_remedy_of_an_error(
    open_page: OpenPage, view: str, called: str
) -> None:
    page = open_page()
    page.clock.install()
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(f"**/{called}", refuse)
    page.goto(f"/?view={view}")
    retry = page.get_by_role("alert").get_by_role("button", name="重试")
    retry.focus()
    page.get_by_role("alert").evaluate("it => { it.dataset.first = '' }")
    count = len(asked)
    page.clock.run_for(20_000)
    while len(asked) < count + 2:
        page.wait_for_timeout(20)
    expect(retry).to_be_focused()
    expect(page.locator("[role=alert][data-first]")).to_have_count(1)


def test_a_file_that_was_changed_or_moved_is_named(open_page: OpenPage, tmp_path: Path) -> None:
    """A browser does not read a file that was changed since then, and calls it a network error."""
    file = tmp_path / "changed.csv"
    file.write_text("编号,题目\n1,冻土\n", encoding="utf-8")
    page = open_page("?view=jobs")
    choose(page, "web_changed", file)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    file.write_text("编号,题目\n1,冻土\n2,水稻\n", encoding="utf-8")
    os.utime(file, (0, 0))  # The browser compares seconds.
    dialog.get_by_role("button", name="上传").click()
    card = page.locator("[data-upload]")
    expect(card.get_by_role("alert")).to_contain_text("改动过或已移走")
    expect(card.get_by_role("button", name="重新上传")).to_have_count(0)
    card.get_by_role("button", name="移除").click()
    expect(card).to_have_count(0)
    formats = Held(page, "**/v1/input-formats")
    page.reload()
    choose(page, "web_changed", file)
    file.unlink()
    formats.let_go()
    complaint = page.get_by_role("alert").filter(has_text="changed.csv")
    expect(complaint).to_contain_text("改动过或已移走")


def test_older_jobs_come_once_or_say_why_not(open_page: OpenPage) -> None:
    page = open_page()
    pages: list[Route] = []

    def answer(route: Route) -> None:
        if "after=" in route.request.url:
            pages.append(route)
        else:
            route.fulfill(json={"jobs": [job_of("failed", 1)], "next": "b"})

    page.route("**/v1/index-jobs*", answer)
    page.goto("/?view=jobs")
    older = page.get_by_role("button", name="更早的任务")
    older.click()
    older.click()
    page.wait_for_timeout(100)
    assert len(pages) == 1
    pages[0].abort()
    expect(page.locator(".toast")).to_contain_text("连不上网关")
    older.click()
    page.wait_for_timeout(100)
    pages[1].fulfill(json={"jobs": [job_of("cancelled", 1)], "next": None})
    expect(page.locator(".job[data-id]")).to_have_count(2)


def test_the_columns_of_a_table_of_chinese_excel_are_asked_for(
    open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "gbk.csv"
    rows = "代码,文章,说明\n1,草原生态补偿研究,关于草原生态补偿的研究与思考\n2,水稻育种,若干问题\n"
    file.write_bytes(rows.encode("gbk"))
    page = open_page("?view=jobs")
    choose(page, "web_gbk", file)
    dialog = page.get_by_role("dialog", name="gbk.csv 的各列")
    expect(dialog).to_contain_text("草原生态补偿研究")
    for column, role in {"代码": "id", "文章": "title", "说明": "text"}.items():
        dialog.get_by_label(f"{column} 用作").select_option(role)
    dialog.get_by_role("button", name="上传").click()
    job = page.locator(".job", has_text="web_gbk").first
    expect(job.locator(".badge")).to_have_text("已完成")
    expect(job.locator("[data-count=indexed] dd")).to_have_text("2")
    document = page.request.get("v1/collections/web_gbk/documents/1").json()
    assert document["text"] == "关于草原生态补偿的研究与思考"


def test_a_table_in_big5_is_left_to_the_indexer(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "big5.csv"
    rows = "編號,題名,摘要\n1,草原生態補償研究,關於草原生態補償的研究與思考\n2,水稻育種,若干問題\n"
    file.write_bytes(rows.encode("big5"))
    page = open_page("?view=jobs")
    choose(page, "web_big5", file)
    job = page.locator(".job", has_text="web_big5").first
    expect(job.locator(".badge")).to_have_text("已完成")
    assert page.request.get("v1/collections/web_big5/documents/2").json()["title"] == "水稻育種"


def test_leaving_the_page_asks_while_something_is_sent(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    file.write_text(lines(12_000), encoding="utf-8")
    page = open_page("?view=jobs")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    choose(page, "web_left_early", file)
    expect(page.locator("[data-upload] .progress")).to_contain_text("上传中")
    page.get_by_label("文献集", exact=True).click()
    page.evaluate("setTimeout(() => location.reload(), 0)")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="停止上传").click(delay=200)
    expect(page.locator("[data-upload]")).to_have_count(0)
    page.reload()
    assert len(asked) == 1
