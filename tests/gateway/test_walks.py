"""Walks through all pages of a search while documents are written, replaced and deleted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.stack import Stack
from xunwen import Client

NAME = "walked"
WORDS = ("微分方程", "量子力学", "有机合成", "基因表达", "数值计算", "统计方法")
SIZES = [150, pytest.param(10_000, marks=pytest.mark.soak)]
PAGES = 6


def paper(number: int) -> dict[str, Any]:
    """A paper; every tenth has no year."""
    year = {} if number % 10 == 9 else {"year": 1990 + number % 35}
    return {"title": f"{WORDS[number % len(WORDS)]}之{number}", **year}


@dataclass
class Shelf:
    """A collection of papers, and what was written to it during a walk."""

    http: httpx.Client
    size: int
    replaced: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)

    @property
    def ids(self) -> list[str]:
        return [f"p{number:05d}" for number in range(self.size)]

    def fill(self) -> None:
        documents = [{"id": one, **paper(number)} for number, one in enumerate(self.ids)]
        with Client(str(self.http.base_url)) as client:
            job = client.index(documents, collection=NAME)
            assert client.wait(job.id).counts.indexed == self.size

    def disturb(self, turn: int) -> None:
        """Writes a new paper, replaces another one by one of another year, and deletes a third."""
        new, other, gone = f"new{turn:05d}", self.ids[-1 - 2 * turn], self.ids[-2 - 2 * turn]
        self._put(new, paper(turn))
        self._put(other, paper(turn + 17))
        self._delete([gone])
        self.added.add(new)
        self.replaced.add(other)
        self.deleted.add(gone)

    def restore(self) -> None:
        """Makes the collection what it was before the walk."""
        self._delete(sorted(self.added))
        numbers = {one: number for number, one in enumerate(self.ids)}
        for identity in sorted(self.replaced | self.deleted):
            self._put(identity, paper(numbers[identity]))
        self.added, self.replaced, self.deleted = set(), set(), set()

    def _put(self, identity: str, members: dict[str, Any]) -> None:
        answer = self.http.put(f"/v1/collections/{NAME}/documents/{identity}", json=members)
        assert answer.status_code == 200, answer.text

    def _delete(self, ids: list[str]) -> None:
        answer = self.http.post(f"/v1/collections/{NAME}/documents:delete", json={"ids": ids})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module", params=SIZES)
def shelf(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Shelf]:
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        shelf = Shelf(http, request.param)
        shelf.fill()
        yield shelf
        http.delete(f"/v1/collections/{NAME}")


@pytest.mark.parametrize("asked", [{"query": "统计方法", "recall_k": 10_000}, {"sort": ["year"]}])
def test_pages_have_no_duplicate_and_no_hole_under_writes(
    shelf: Shelf, asked: dict[str, Any]
) -> None:
    body: dict[str, Any] = {"collection": NAME, "budget_ms": 60_000, "fields": [], **asked}
    body |= {"top_k": min(100, shelf.size // PAGES), "cursor": "*"}
    seen: list[str] = []
    turns = 0
    while body["cursor"]:
        answer = shelf.http.post("/v1/search", json=body)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen += [hit["id"] for hit in page["hits"]]
        body["cursor"] = page["next_cursor"]
        shelf.disturb(turns)
        turns += 1
    assert turns >= PAGES
    assert len(seen) == len(set(seen)), "no document is shown twice"
    there = set(shelf.ids)
    assert set(seen) >= there - shelf.deleted, "no document that is there is left out"
    assert set(seen) <= there, "what was written meanwhile belongs to no page"
    shelf.restore()


def test_pages_end_with_their_collection(stack: Stack) -> None:
    """Once it is deleted, also after one of its name was made, its pages are no longer kept."""
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        for again in (False, True):
            for number in range(2):
                paper_of = f"/v1/collections/short_walk/documents/{number}"
                assert http.put(paper_of, json=paper(number)).status_code == 200
            if not again:
                body = {"collection": "short_walk", "query": "方程", "top_k": 1, "cursor": "*"}
                body["cursor"] = http.post("/v1/search", json=body).json()["next_cursor"]
                assert http.post("/v1/search", json=body).status_code == 200
            assert http.delete("/v1/collections/short_walk").status_code == 204
            answer = http.post("/v1/search", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "cursor_expired")


def test_pages_after_a_rebuild_show_what_was_written_since(stack: Stack) -> None:
    """The index of the first page is kept for a rollback, without later writes: a deleted document
    was shown again, and a replaced one as it had been."""
    name = "rebuilt_walk"
    with httpx.Client(base_url=stack.url, timeout=60) as http, Client(stack.url) as client:
        for number in range(4):
            client.put({"id": str(number), **paper(number)}, collection=name)
        body = {"collection": name, "sort": ["year"], "top_k": 1, "cursor": "*"}
        body["cursor"] = http.post("/v1/search", json=body).json()["next_cursor"]
        for _ in range(2):
            assert client.wait(client.rebuild(name).job_id).state == "succeeded"
            client.delete("1", collection=name)
            client.put({"id": "2", "title": "替换"}, collection=name)
            page = http.post("/v1/search", json=body | {"top_k": 3}).json()
            hits = [(hit["id"], hit["title"]) for hit in page["hits"]]
            assert hits == [("2", "替换"), ("3", paper(3)["title"])]
        client.delete_collection(name)
