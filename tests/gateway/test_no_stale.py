"""No search shows what is no longer so, through two gateways of the real system."""

import httpx
import pytest

from tests.gateway.no_stale import BODY, run
from tests.stack import Stack
from xunwen import Client


def test_no_stale_answer(stack: Stack, second: str) -> None:
    run(stack.url, second, examples=3, steps=7)


@pytest.mark.soak
def test_no_stale_answer_at_full_size(stack: Stack, second: str) -> None:
    run(stack.url, second, examples=40, steps=30)


def test_no_stale_answer_after_a_rollback(stack: Stack, second: str) -> None:
    """The index before the rebuild answers again, and with it what it held."""
    name = "stale_rollback"
    body = BODY | {"collection": name}
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
