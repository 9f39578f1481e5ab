"""What a new user sees after the first start."""

import json
from typing import Any

from services.rank.blend import read_blend
from tests.e2e.titles import titles_found
from tests.stack import DOCUMENTS, PAPERS, Stack
from xunwen import Client
from xunwen.client import JobState

FULLY_RANKED = 10
"""Titles that go through the whole cascade; the fine phase over all takes many minutes."""
PATIENT_MS = 30_000
"""What is asserted here is the answer, not how fast a busy machine gives it."""


def test_every_document_of_the_sample_is_in_and_counted(client: Client) -> None:
    (job,) = client.jobs(collection="literature")
    assert job.state is JobState.SUCCEEDED
    assert job.counts.model_dump() == {
        "read": DOCUMENTS,
        "indexed": DOCUMENTS,
        "rejected": 0,
        "deduplicated": 0,
    }
    assert client.collection("literature").count == DOCUMENTS


def test_an_answer_has_titles_scores_and_stage_times(client: Client) -> None:
    answer = client.search("中西方语言与文化的差异", budget_ms=PATIENT_MS)
    assert len(answer.hits) == 10
    assert answer.degraded == []
    assert answer.index_version
    assert all(hit.title for hit in answer.hits)
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    stages = {stage.name: stage.took_ms for stage in answer.stages}
    assert {"encode", "dense", "lexical", "fuse", "coarse"} <= set(stages)
    assert ("fine" in stages) is read_blend().uses_ranker
    assert all(took >= 0 for took in stages.values())


def test_the_command_line_prints_a_table(stack: Stack) -> None:
    ran = stack.xunwen("search", "国有企业引入非国有资本对创新绩效的影响")
    assert ran.returncode == 0, ran.stderr
    assert "创新" in ran.stdout
    assert "10 hits" in ran.stdout
    answer = json.loads(stack.xunwen("search", "创新绩效", "--json", "-k", "1").stdout)
    assert len(answer["hits"]) == 1


def some_papers(every: int) -> list[dict[str, Any]]:
    lines = PAPERS.read_text(encoding="utf-8").splitlines()[:DOCUMENTS]
    return [json.loads(line) for line in lines[::every]]


def test_titles_find_their_own_papers(client: Client) -> None:
    """All of them, among all documents of the sample: tests/e2e/test_new_user.py."""
    wanted = some_papers(every=5)
    found = titles_found(client, wanted)
    print(f"{found} of {len(wanted)} titles find their paper in the top 10")
    assert found >= 0.95 * len(wanted)


def test_ranking_keeps_what_recall_found(client: Client) -> None:
    for paper in some_papers(every=DOCUMENTS // FULLY_RANKED):
        answer = client.search(paper["title"], budget_ms=PATIENT_MS)
        assert answer.degraded == []
        assert paper["id"] in [hit.id for hit in answer.hits]
