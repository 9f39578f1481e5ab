"""A model of what was written against the real system: no search shows what is no longer so.

Rules write, delete, rebuild and roll back in any order, and search through two gateways, so that
answers kept by one process, by Redis, or made before a switch would show.
"""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.gateway.gateways import gateway
from tests.stack import Stack
from xunwen import Client

IDS = ("a", "b", "c")
WORDS = ("数学", "历史", "化学")
QUERY = "学科 数学 历史 化学"


@pytest.fixture(scope="module")
def second(stack: Stack) -> Iterator[str]:
    with gateway(stack) as url:
        yield url


class NoStaleAnswers(RuleBasedStateMachine):
    """The collection's documents as they must be, and as they were before the last rebuild."""

    stack_url = ""
    second_url = ""
    examples = 0
    searches = 0
    searched = Bundle("searched")

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1
        self.name = f"stale_{self.examples}_{id(self) % 10_000}"
        self.http = [
            httpx.Client(base_url=url, timeout=60) for url in (self.stack_url, self.second_url)
        ]
        self.now: dict[str, str] = {}
        self.before_rebuild: dict[str, str] | None = None

    @initialize()
    def begin(self) -> None:
        self.write("a", "数学")

    @rule(document=st.sampled_from(IDS), word=st.sampled_from(WORDS))
    def write(self, document: str, word: str) -> None:
        body = {"title": f"{word}研究", "text": f"学科：{word}"}
        path = f"/v1/collections/{self.name}/documents/{document}"
        self.http[0].put(path, json=body).raise_for_status()
        self.now[document] = f"{word}研究"

    @rule(document=st.sampled_from(IDS))
    def delete(self, document: str) -> None:
        path = f"/v1/collections/{self.name}/documents/{document}"
        answer = self.http[1].delete(path)
        assert answer.status_code == 200, answer.text
        self.now.pop(document, None)

    @rule()
    def rebuild(self) -> None:
        with Client(self.stack_url) as client:
            job = client.wait(client.rebuild(self.name).job_id)
        if job.state == "succeeded":
            self.before_rebuild = dict(self.now)

    @rule(through=st.sampled_from((0, 1)), rank=st.booleans(), again=st.integers(1, 3))
    def search(self, through: int, rank: bool, again: int) -> None:
        body = {"query": QUERY, "collection": self.name, "rank": rank, "budget_ms": 30_000}
        for _ in range(again):
            answer = self.http[through].post("/v1/search", json=body)
            assert answer.status_code == 200, answer.text
            found = {hit["id"]: hit["title"] for hit in answer.json()["hits"]}
            assert found == self.now, answer.headers["x-cache"]
            type(self).searches += 1

    def teardown(self) -> None:
        self.http[0].delete(f"/v1/collections/{self.name}")
        for http in self.http:
            http.close()


def run(stack: Stack, second: str, examples: int, steps: int) -> None:
    NoStaleAnswers.stack_url, NoStaleAnswers.second_url = stack.url, second
    NoStaleAnswers.searches = 0
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        NoStaleAnswers,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{NoStaleAnswers.searches} searches, none stale")


def test_no_stale_answer(stack: Stack, second: str) -> None:
    run(stack, second, examples=3, steps=12)


@pytest.mark.soak
def test_no_stale_answer_at_full_size(stack: Stack, second: str) -> None:
    run(stack, second, examples=40, steps=30)


def test_no_stale_answer_after_a_rollback(stack: Stack, second: str) -> None:
    """The index before the rebuild answers again, and with it what it held."""
    name = "stale_rollback"
    body = {"query": QUERY, "collection": name, "rank": False, "budget_ms": 30_000}
    with (
        Client(stack.url) as client,
        httpx.Client(base_url=stack.url, timeout=60) as one,
        httpx.Client(base_url=second, timeout=60) as other,
    ):

        def titles() -> list[set[str]]:
            answers = [http.post("/v1/search", json=body).json() for http in (one, other, one)]
            return [{hit["title"] for hit in answer["hits"]} for answer in answers]

        document = f"/v1/collections/{name}/documents/a"
        one.put(document, json={"title": "数学研究"}).raise_for_status()
        assert titles() == [{"数学研究"}] * 3
        assert client.wait(client.rebuild(name).job_id).state == "succeeded"
        one.put(document, json={"title": "历史研究"}).raise_for_status()
        assert titles() == [{"历史研究"}] * 3
        before = one.get(document).json()["title"]
        client.rollback(name)
        after = one.get(document).json()["title"]
        print(f"before the rollback {before}, after it {after}")
        assert titles() == [{after}] * 3
        client.delete_collection(name)
        assert one.post("/v1/search", json=body).status_code == 404
