"""A model of what was written against the real system: no search shows what is no longer so.

Rules write, delete, rebuild and roll back in any order, and search through two gateways, so that
answers kept by one process, by Redis, or made before a switch would show.
"""

from contextlib import suppress

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.waiting import eventually
from xunwen import ApiError, Client, Document

IDS = ("a", "b", "c")
WORDS = ("数学", "历史", "化学")
QUERY = "学科 数学 历史 化学"
BODY = {"query": QUERY, "rank": False, "budget_ms": 30_000}


class NoStaleAnswers(RuleBasedStateMachine):
    """The collection's documents as they must be: title by id."""

    stack_url = ""
    second_url = ""
    body = BODY
    examples = 0
    searches = 0
    hits = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1
        self.name = f"stale_{self.examples}_{id(self) % 10_000}"
        urls = (self.stack_url, self.second_url)
        self.http = [httpx.Client(base_url=url, timeout=60) for url in urls]
        self.clients = [Client(url) for url in urls]
        self.now: dict[str, str] = {}
        self.before: dict[str, str] | None = None
        """What the index before the last rebuild or rollback holds."""

    @initialize()
    def begin(self) -> None:
        self.write("a", "数学")

    @rule(document=st.sampled_from(IDS), word=st.sampled_from(WORDS))
    def write(self, document: str, word: str) -> None:
        written = Document(id=document, title=f"{word}研究", text=f"学科：{word}")
        self.clients[0].put(written, collection=self.name)
        self.now[document] = f"{word}研究"

    @rule(document=st.sampled_from(IDS))
    def delete(self, document: str) -> None:
        self.clients[1].delete(document, collection=self.name)
        self.now.pop(document, None)

    @precondition(lambda self: self.now)
    @rule()
    def rebuild(self) -> None:
        client = self.clients[0]
        job = client.wait(client.rebuild(self.name).job_id)
        assert job.state == "succeeded"
        self.before = dict(self.now)

    @precondition(lambda self: self.before is not None)
    @rule()
    def roll_back(self) -> None:
        assert self.before is not None
        self.clients[0].rollback(self.name)
        self.now, self.before = self.before, self.now

    @invariant()
    def answers_are_what_was_written(self) -> None:
        """After each step, through both gateways, twice: computed here, cached there."""
        for http in (*self.http, *self.http):
            answer = self.search(http)
            assert answer.status_code == 200, answer.text
            found = {hit["id"]: hit["title"] for hit in answer.json()["hits"]}
            assert found == self.now, answer.headers["x-cache"]
            type(self).searches += 1
            type(self).hits += answer.headers["x-cache"] == "HIT"

    def search(self, http: httpx.Client) -> httpx.Response:
        """A machine that stands still for seconds may refuse; that is no stale answer."""

        def answered() -> httpx.Response | None:
            answer = http.post("/v1/search", json=self.body | {"collection": self.name})
            return None if answer.status_code == 503 else answer

        return eventually(answered)

    def teardown(self) -> None:
        with suppress(ApiError):
            self.clients[0].delete_collection(self.name)
        for http, client in zip(self.http, self.clients, strict=True):
            http.close()
            client.close()


def run(first: str, second: str, examples: int, steps: int, **members: str) -> None:
    """Lets the model run; `members` are further ones of each search."""
    NoStaleAnswers.stack_url, NoStaleAnswers.second_url = first, second
    NoStaleAnswers.body = BODY | members
    NoStaleAnswers.searches = NoStaleAnswers.hits = 0
    run_state_machine_as_test(
        NoStaleAnswers,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{NoStaleAnswers.searches} searches, {NoStaleAnswers.hits} from a cache, none stale")
    assert NoStaleAnswers.hits > examples
