"""Query rules and dictionary of a collection on the page, against the real system."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stack import Stack
from tests.web.browser import Held, Screenshots
from tests.web.conftest import OpenPage
from xunwen.cli.rules import _group
from xunwen.client import XunwenError

NAME = "web_rules"
ADDRESS = f"/v1/collections/{NAME}"
TITLES = {
    "cnn": "卷积神经网络识别水稻病害",
    "rice": "水稻病害的田间调查",
    "wheat": "小麦抗旱育种",
}
LINES = (
    "CNN, 卷积神经网络",
    "手机 => 智能手机，移动电话",
    " a ,, b,",
    "a, b => c",
    "只有一个词",
    "a =>",
    "=> a",
    "a => b => c",
    ",",
)


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    """A client of a system with a small collection."""
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for identity, title in TITLES.items():
            document = f"{ADDRESS}/documents/{identity}"
            http.put(document, json={"title": title}).raise_for_status()
        yield http
        http.delete(ADDRESS)


@pytest.fixture
def page(open_page: OpenPage, http: httpx.Client) -> Page:
    """The collections on the page; this one has no rules and no words."""
    http.put(f"{ADDRESS}/query-rules", json={}).raise_for_status()
    http.put(f"{ADDRESS}/dictionary", json={"words": []}).raise_for_status()
    return open_page("?view=collections")


def opened(page: Page) -> Locator:
    page.locator(f".collection[data-name={NAME}]").get_by_role("button", name="词与规则").click()
    dialog = page.get_by_role("dialog", name=f"{NAME} 的词与规则")
    expect(dialog.get_by_role("button", name="保存词典")).to_be_visible()
    expect(dialog.get_by_role("button", name="保存规则")).to_be_visible()
    return dialog


def stored(http: httpx.Client) -> dict[str, Any]:
    return dict(http.get(f"{ADDRESS}/query-rules").json())


def as_the_command_reads(line: str) -> list[dict[str, Any]] | None:
    try:
        return [_group(line, "a line").model_dump(exclude_none=True)]
    except XunwenError:
        return None


def test_a_second_press_does_not_save_again(page: Page) -> None:
    """The rules that the first one saved have another version by then."""
    dialog = opened(page)
    held = Held(page, f"**{ADDRESS}/query-rules")
    dialog.get_by_label("停用词").fill("的")
    dialog.get_by_role("button", name="保存规则").dblclick()
    held.let_go()
    expect(dialog.get_by_text("规则已保存并生效")).to_be_visible()
    expect(dialog.get_by_role("alert").filter(has_text="冲突")).to_have_count(0)


def test_what_is_typed_while_the_dictionary_is_saved_stays(page: Page) -> None:
    dialog = opened(page)
    held = Held(page, f"**{ADDRESS}/dictionary")
    words = dialog.get_by_label("不切开的词")
    words.fill("水稻病害")
    dialog.get_by_role("button", name="保存词典").click()
    words.fill("水稻病害\n抗旱育种")
    held.let_go()
    expect(dialog.get_by_text("词典已保存")).to_be_visible()
    expect(words).to_have_value("水稻病害\n抗旱育种")


def test_synonyms_are_written_as_in_files_of_the_command(page: Page) -> None:
    read = page.evaluate(
        """async (lines) => {
          const {SYNONYMS} = await import("/js/collections/lines.js");
          return lines.map((line) => {
            try { return SYNONYMS.read(line).values; } catch { return null; }
          });
        }""",
        LINES,
    )
    assert read == [as_the_command_reads(line) for line in LINES]


def test_rules_are_saved_and_searches_follow(
    page: Page, http: httpx.Client, screenshots: Screenshots
) -> None:
    dialog = opened(page)
    dialog.get_by_label("同义词与译名").fill("# 译名\nCNN, 卷积神经网络\n\n稻子 => 水稻")
    dialog.get_by_label("停用词").fill("浅谈")
    add = dialog.get_by_role("button", name="添加查询")
    add.press("Enter")
    page.keyboard.type("水稻病害")
    page.keyboard.press("Tab")
    page.keyboard.type("wheat\ngone")
    page.keyboard.press("Tab")
    page.keyboard.type("cnn")
    dialog.get_by_role("button", name="保存规则").press("Enter")
    expect(dialog.get_by_text("规则已保存并生效")).to_be_visible()
    expect(dialog.get_by_text("目前没有这些编号的文献：gone")).to_be_visible()
    screenshots.take(page, "words")
    rules = stored(http)
    assert rules["synonyms"] == [
        {"words": ["CNN", "卷积神经网络"]},
        {"words": ["稻子"], "also": ["水稻"]},
    ]
    assert rules["stop_words"] == ["浅谈"]
    assert rules["queries"] == [
        {"query": "水稻病害", "pinned": ["wheat", "gone"], "hidden": ["cnn"]}
    ]

    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    dialog = opened(page)
    written = "CNN, 卷积神经网络\n稻子 => 水稻"
    expect(dialog.get_by_label("同义词与译名")).to_have_value(written)
    expect(dialog.get_by_label("置顶的文献")).to_have_value("wheat\ngone")
    dialog.get_by_role("button", name="移除此查询").click()
    dialog.get_by_role("button", name="保存规则").click()
    expect(dialog.get_by_text("规则已保存并生效")).to_be_visible()
    assert stored(http)["queries"] == []

    page.goto(f"/?c={NAME}&q=CNN&mode=lexical")
    expect(page.locator(".hit")).to_have_count(1)
    expect(page.locator(".hit-title")).to_have_text(TITLES["cnn"])


def test_refusals_stand_at_their_place(page: Page, http: httpx.Client) -> None:
    dialog = opened(page)
    synonyms = dialog.get_by_label("同义词与译名")
    rules = dialog.get_by_role("button", name="保存规则")
    synonyms.fill("# 一\n水稻, 稻子\nCNN, ＣＮＮ")
    rules.click()
    expect(dialog.get_by_role("alert").filter(has_text="第 3 行：")).to_contain_text(
        "'CNN' and 'ＣＮＮ' are the same to a search"
    )
    expect(synonyms).to_have_attribute("aria-invalid", "true")
    expect(synonyms).to_be_focused()
    synonyms.fill("水稻, 稻子\n只有一个词")
    rules.click()
    expect(dialog.get_by_role("alert").filter(has_text="第 2 行：")).to_contain_text("用逗号分隔")

    synonyms.fill("")
    dialog.get_by_role("button", name="添加查询").click()
    dialog.get_by_label("查询", exact=True).fill("水稻")
    rules.click()
    expect(dialog.get_by_role("group", name="一条查询").get_by_role("alert")).to_contain_text(
        "a query needs an id in `pinned` or `hidden`"
    )
    assert stored(http)["synonyms"] == stored(http)["queries"] == []

    dialog.get_by_label("不切开的词").fill("引力波透镜\n！！")
    dialog.get_by_role("button", name="保存词典").click()
    expect(dialog.get_by_role("alert").filter(has_text="！！")).to_contain_text("holds no letter")
    assert http.get(f"{ADDRESS}/dictionary").json()["words"] == []


def test_words_wait_for_the_rebuild_that_is_offered(page: Page, http: httpx.Client) -> None:
    dialog = opened(page)
    dialog.get_by_label("不切开的词").fill("水稻病害 3 n\n\n田间调查\n水稻病害")
    dialog.get_by_role("button", name="保存词典").click()
    expect(dialog.get_by_text("词典已保存")).to_be_visible()
    expect(dialog.get_by_text("要等下次重建后")).to_be_visible()
    written = http.get(f"{ADDRESS}/dictionary").json()
    assert (sorted(written["words"]), written["waiting"]) == (["水稻病害", "田间调查"], True)
    expect(dialog.get_by_label("不切开的词")).to_have_value("\n".join(written["words"]))

    dialog.get_by_role("button", name="重建").click()
    page.get_by_role("dialog", name=f"重建 {NAME}？").get_by_role("button", name="重建").click()
    job = page.locator(".job", has_text=NAME).first
    expect(job.locator(".badge")).to_have_text("已完成")
    page.goto("/?view=collections")
    dialog = opened(page)
    expect(dialog.get_by_label("不切开的词")).to_have_value("\n".join(written["words"]))
    expect(dialog.get_by_text("要等下次重建后")).to_have_count(0)


def test_changes_of_others_are_not_overwritten(page: Page, http: httpx.Client) -> None:
    dialog = opened(page)
    http.put(f"{ADDRESS}/query-rules", json={"stop_words": ["的"]}).raise_for_status()
    dialog.get_by_label("停用词").fill("浅谈")
    dialog.get_by_role("button", name="保存规则").click()
    expect(dialog.get_by_role("alert").filter(has_text="冲突")).to_contain_text(
        "changed since they were read"
    )
    assert stored(http)["stop_words"] == ["的"]
    dialog.get_by_role("button", name="重新读取").click()
    expect(dialog.get_by_label("停用词")).to_have_value("的")


def test_what_no_line_holds_stays(page: Page, http: httpx.Client) -> None:
    odd = {"words": ["1,2-二氯乙烷", "DCE"]}
    rules = {"synonyms": [odd, ["水稻", "稻子"]]}
    http.put(f"{ADDRESS}/query-rules", json=rules).raise_for_status()
    dialog = opened(page)
    expect(dialog.get_by_text("另有 1 项")).to_be_visible()
    synonyms = dialog.get_by_label("同义词与译名")
    expect(synonyms).to_have_value("水稻, 稻子")
    synonyms.fill("小麦, 麦子")
    dialog.get_by_role("button", name="保存规则").click()
    expect(dialog.get_by_text("规则已保存并生效")).to_be_visible()
    assert stored(http)["synonyms"] == [{"words": ["小麦", "麦子"]}, odd]


def test_unsaved_words_are_not_lost_by_a_key(page: Page) -> None:
    dialog = opened(page)
    stop_words = dialog.get_by_label("停用词")
    stop_words.fill("浅谈")
    page.keyboard.press("Escape")
    question = page.get_by_role("dialog", name="放弃未保存的修改？")
    question.get_by_role("button", name="取消").click()
    expect(stop_words).to_have_value("浅谈")
    dialog.get_by_role("button", name="关闭").click()
    question.get_by_role("button", name="放弃修改").click()
    expect(dialog).to_have_count(0)
