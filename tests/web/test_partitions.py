"""Partitions on the page: a key when a collection is made, a partition in searches and jobs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stack import Stack
from tests.web.browser import Screenshots
from tests.web.conftest import PARTITIONS, OpenPage
from xunwen import Client

MADE = "web_made"


@pytest.fixture
def made(stack: Stack) -> Iterator[str]:
    """The name of a collection that a test makes."""
    yield MADE
    with Client(stack.url) as client:
        if MADE in {one.name for one in client.collections()}:
            client.delete_collection(MADE)


def titles(page: Page) -> set[str]:
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    return set(page.locator(".hit-title").all_inner_texts())


def body_of(page: Page, path: str, act: Any) -> dict[str, Any]:
    """The body of the request to a path that an action leads to."""
    with page.expect_request(lambda asked: asked.url.endswith(path)) as asked:
        act()
    return dict(asked.value.post_data_json or {})


def options(control: Locator) -> list[str]:
    """What the browser offers in the control."""
    values: list[str] = control.evaluate("it => [...it.list.options].map((one) => one.value)")
    return values


def test_a_key_is_named_where_a_collection_is_made(open_page: OpenPage, made: str) -> None:
    """By the keyboard alone, with refusals of the page and of the API."""
    page = open_page("?view=collections")
    page.get_by_role("button", name="新建文献集").press("Enter")
    dialog = page.get_by_role("dialog")
    page.keyboard.type(made)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    key = dialog.get_by_role("textbox", name="分区键（可不填）")
    expect(key).to_be_focused()
    expect(key).to_have_accessible_description(re.compile("建成后不能更改"))
    page.keyboard.type('"tenant"')
    page.keyboard.press("Enter")
    assert not key.evaluate("input => input.validity.valid")
    key.fill("title")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("title is no metadata")
    key.fill("tenant")
    page.keyboard.press("Enter")
    card = page.locator(f".collection[data-name={made}]")
    expect(card).to_contain_text("tenant 关键词")
    expect(card.locator("dt", has_text="分区键").locator("+ dd")).to_have_text("tenant")


def test_a_collection_without_a_key_says_nothing_of_it(open_page: OpenPage) -> None:
    page = open_page("?view=collections")
    card = page.locator(".collection[data-name=literature]")
    expect(card.locator("dt", has_text="声明的字段")).to_be_visible()
    expect(card.locator("dt", has_text="分区键")).to_have_count(0)
    page.goto("/")
    expect(page.get_by_text("篇文献可检索")).to_be_visible()
    expect(page.get_by_role("combobox", name=re.compile("^分区"))).to_have_count(0)


def test_a_partition_is_typed_and_left(
    open_page: OpenPage, parted: str, screenshots: Screenshots
) -> None:
    page = open_page(f"?q=草原&c={parted}")
    control = page.get_by_role("combobox", name="分区（tenant）")
    expect(control).to_have_value("")
    expect(page.locator(".hit")).to_have_count(3)
    control.focus()
    page.keyboard.insert_text("乙")
    body = body_of(page, "/v1/search", lambda: page.keyboard.press("Enter"))
    assert body["partition"] == "乙"
    expect(page.locator(".hit")).to_have_count(1)
    assert titles(page) == set(PARTITIONS["乙"])
    expect(control).to_be_focused()
    screenshots.take(page, "partition")
    page.reload()
    expect(control).to_have_value("乙")
    expect(page.locator(".hit")).to_have_count(1)
    assert "p=" in page.url
    page.get_by_role("button", name="不限分区 乙").click()
    expect(page.locator(".hit")).to_have_count(3)
    expect(control).to_have_value("")
    assert "p=" not in page.url
    page.go_back()
    expect(control).to_have_value("乙")
    expect(page.locator(".hit")).to_have_count(1)


def test_partitions_are_offered_the_largest_first(open_page: OpenPage, parted: str) -> None:
    page = open_page(f"?c={parted}", locale="en-GB")
    control = page.get_by_role("combobox", name="Partition (tenant)")
    control.focus()
    expect(page.locator("#search-partition-known option")).to_have_count(2)
    assert options(control) == ["甲", "乙"]
    control.fill("甲")
    control.press("Enter")
    page.get_by_role("combobox", name="Search the literature").fill("草原")
    expect(page.locator(".hit")).to_have_count(2)
    assert titles(page) == set(PARTITIONS["甲"])
    page.get_by_role("combobox", name="Collection").select_option("literature")
    expect(page.get_by_role("combobox", name=re.compile("^Partition"))).to_have_count(0)
    assert "p=" not in page.url


def test_every_way_of_searching_stays_in_the_partition(open_page: OpenPage, parted: str) -> None:
    page = open_page(f"?q=草原&c={parted}&p=甲&mode=compare")
    for name in ("混合", "语义", "词面"):
        expect(page.get_by_role("region", name=name).locator(".leg-hit")).to_have_count(2)
    page.get_by_role("radio", name="混合").check()
    expect(page.locator(".hit")).to_have_count(2)
    page.locator(".hit-title").first.click()
    similar = page.get_by_role("link", name="查找相似文献")
    body = body_of(page, "/v1/similar", similar.click)
    assert (body["partition"], body["collection"]) == ("甲", parted)
    expect(page.locator(".hit")).to_have_count(1)
    page.locator(".hit-title").click()
    page.get_by_role("link", name="查看向量").click()
    expect(page.get_by_text(f"按向量距离，取自 {parted}、分区 甲")).to_be_visible()
    expect(page.locator(".nearest li")).to_have_count(2)
    page.locator(".nearest a").first.click()
    expect(page.locator(".hit")).to_have_count(2)
    expect(page.get_by_role("button", name="不限分区 甲")).to_be_visible()


def test_what_is_being_typed_outlives_an_answer(open_page: OpenPage, parted: str) -> None:
    page = open_page(f"?c={parted}")
    control = page.get_by_role("combobox", name="分区（tenant）")
    page.get_by_role("combobox", name="检索文献").press_sequentially("草原")
    control.press_sequentially("乙")
    expect(page.locator(".hit")).to_have_count(3)
    expect(page.locator(".answer")).to_have_attribute("aria-busy", "false")
    expect(control).to_have_value("乙")
    control.press("Enter")
    expect(page.locator(".hit")).to_have_count(1)


def test_an_empty_partition_offers_the_whole_collection(open_page: OpenPage, parted: str) -> None:
    page = open_page(f"?q=草原&c={parted}&p=丙")
    expect(page.get_by_role("heading", name="没有找到相符的文献")).to_be_visible()
    page.get_by_role("button", name="检索全部分区").click()
    expect(page.locator(".hit")).to_have_count(3)


def test_a_link_into_a_partition_that_cannot_be(open_page: OpenPage) -> None:
    page = open_page("?q=卫星姿态&p=甲")
    expect(page.get_by_role("alert")).to_contain_text("the collection has no partition key")
    control = page.get_by_role("combobox", name="分区", exact=True)
    control.fill("")
    control.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    expect(control).to_be_hidden()


def test_a_job_fills_a_partition(open_page: OpenPage, made: str, tmp_path: Path) -> None:
    page = open_page("?view=collections")
    page.get_by_role("button", name="新建文献集").click()
    page.get_by_role("dialog").get_by_label("文献集").fill(made)
    page.get_by_role("dialog").get_by_label("分区键").fill("tenant")
    page.get_by_role("button", name="新建", exact=True).click()
    expect(page.locator(f".collection[data-name={made}]")).to_be_visible()
    lines: list[dict[str, Any]] = [
        {"id": "1", "title": "草原生态移民"},
        {"id": "2", "title": "草原防火", "tenant": "乙"},
    ]
    file = tmp_path / "papers.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")

    page.goto("/?view=jobs")
    collection = page.get_by_label("文献集", exact=True)
    partition = page.get_by_role("combobox", name="分区（可不填）")
    expect(collection).to_have_value("literature")
    expect(partition).to_have_count(0)
    collection.fill(made)
    expect(partition).to_have_accessible_description(re.compile("「tenant」"))
    partition.fill("甲")
    page.get_by_label("选择文件", exact=True).set_input_files(file)
    job = page.locator(".job", has_text=made).first
    expect(job.locator(".badge")).to_have_text("已完成，有拒收")
    expect(job.locator("[data-count=indexed] dd")).to_have_text("1")
    job.get_by_role("button", name="查看拒收的行").click()
    expect(page.get_by_role("dialog")).to_contain_text("the job loads the partition '甲'")
    page.keyboard.press("Escape")
    stored = page.request.get(f"v1/collections/{made}/documents/1").json()
    assert stored["fields"] == {"tenant": "甲"}

    collection.fill("literature")
    expect(partition).to_have_count(0)
    with page.expect_request(lambda asked: "/v1/index-jobs?" in asked.url) as asked:
        collection.fill("web_no_partition")
        page.get_by_label("选择文件", exact=True).set_input_files(file)
    assert "partition" not in asked.value.url.split("?")[1].replace("web_no_partition", "")
