"""What a new user sees after the first start."""

import json

from tests.stack import PAPERS, Stack
from xunwen import Client
from xunwen.client import JobState

TITLES_PER_CALL = 20
FULLY_RANKED = 20
"""Titles that go through the whole cascade; the fine phase over all takes many minutes."""
PATIENT_MS = 30_000
"""What is asserted here is the answer, not how fast a busy machine gives it."""


def test_every_document_of_the_sample_is_in_and_counted(client: Client) -> None:
    (job,) = client.jobs()
    assert job.state is JobState.SUCCEEDED
    assert job.counts.model_dump() == {
        "read": 9000,
        "indexed": 9000,
        "rejected": 0,
        "deduplicated": 0,
    }
    (collection,) = client.collections()
    assert (collection.name, collection.count) == ("literature", 9000)


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
    assert {"encode", "dense", "lexical", "fuse", "coarse", "fine"} <= set(stages)
    assert all(took >= 0 for took in stages.values())


def test_the_command_line_prints_a_table(system: Stack) -> None:
    ran = system.xunwen("search", "国有企业引入非国有资本对创新绩效的影响")
    assert ran.returncode == 0, ran.stderr
    assert "创新" in ran.stdout
    assert "10 hits" in ran.stdout
    answer = json.loads(system.xunwen("search", "创新绩效", "--json", "-k", "1").stdout)
    assert len(answer["hits"]) == 1


def test_titles_find_their_own_papers(client: Client) -> None:
    papers = [json.loads(line) for line in PAPERS.read_text(encoding="utf-8").splitlines()]
    found = 0
    for start in range(0, len(papers), TITLES_PER_CALL):
        batch = papers[start : start + TITLES_PER_CALL]
        titles = [paper["title"] for paper in batch]
        answers = client.search_batch(
            titles, rank=False, recall_k=100, fields=["title"], budget_ms=PATIENT_MS
        )
        for paper, item in zip(batch, answers, strict=True):
            assert item.answer is not None, item.error
            assert len(item.answer.hits) == 10
            found += paper["id"] in [hit.id for hit in item.answer.hits]
    print(f"{found} of {len(papers)} titles find their paper in the top 10")
    assert found >= 0.95 * len(papers)


def test_ranking_keeps_what_recall_found(client: Client) -> None:
    papers = [json.loads(line) for line in PAPERS.read_text(encoding="utf-8").splitlines()]
    for paper in papers[:: len(papers) // FULLY_RANKED]:
        answer = client.search(paper["title"], budget_ms=PATIENT_MS)
        assert answer.degraded == []
        assert paper["id"] in [hit.id for hit in answer.hits]
