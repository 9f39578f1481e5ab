"""The cascade through the service's routes, with the real ranker."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.engine import Ranker
from services.common.request_context import DEADLINE_HEADER
from services.common.wire.rank import RankResponse, RerankResponse
from services.rank.app import create_app
from services.rank.features import NAMES
from services.rank.settings import RankSettings
from tests.asgi import client_of
from tests.rank.candidates import QUERY, candidates

_LONG = "本文以上市公司为样本，研究混合所有制改革、资本结构与技术创新之间的关系。" * 12


async def rank(
    client: httpx.AsyncClient,
    found: list[dict[str, Any]],
    *,
    budget_ms: int = 60_000,
    **options: Any,
) -> RankResponse:
    answer = await client.post(
        "/rank",
        json={"query": QUERY, "candidates": found, **options},
        headers={DEADLINE_HEADER: str(budget_ms)},
    )
    assert answer.status_code == 200, answer.text
    return RankResponse.model_validate_json(answer.content)


async def test_a_20_ms_budget_answers_in_coarse_order_and_says_so(
    client: httpx.AsyncClient,
) -> None:
    """A pass under way ends, no further one starts."""
    found = candidates(60, _LONG)
    patient = await rank(client, found)
    hurried = await rank(client, found, budget_ms=20)
    assert (patient.degraded, hurried.degraded) == ([], ["rank"])
    [read], [cut] = (
        [stage for stage in answer.stages if stage.name == "fine"] for answer in (patient, hurried)
    )
    assert cut.stopped == "budget"
    assert (cut.candidates or 0) < (read.candidates or 0)
    assert len(hurried.hits) == 10
    assert {hit.id for hit in hurried.hits} <= {each["id"] for each in found}
    assert hurried.hits[0].id == "p0"


async def test_no_time_at_all_still_answers_by_coarse_scores(client: httpx.AsyncClient) -> None:
    answer = await rank(client, candidates(40), budget_ms=0)
    assert answer.degraded == ["rank"]
    assert all("fine" not in hit.scores for hit in answer.hits)
    assert [hit.score for hit in answer.hits] == [hit.scores["coarse"] for hit in answer.hits]
    assert [hit.score for hit in answer.hits] == sorted(
        (hit.score for hit in answer.hits), reverse=True
    )


async def test_every_phase_reports_its_time_and_what_it_saw(ranker: Ranker, blend: Path) -> None:
    async with client_of(create_app(RankSettings(blend=blend, keep=30), ranker)) as client:
        answer = await rank(client, candidates(120), top_k=4)
    assert [(stage.name, stage.candidates) for stage in answer.stages] == [
        ("coarse", 60),
        ("fine", 30),
        ("rerank", 20),
    ]
    assert [stage.stopped for stage in answer.stages] == [None, "depth", None]
    assert len(answer.hits) == 4
    assert answer.degraded == []


async def test_a_score_does_not_depend_on_the_number_of_hits(client: httpx.AsyncClient) -> None:
    found = candidates(150)
    few, many = [
        {hit.id: hit.scores["coarse"] for hit in (await rank(client, found, top_k=top_k)).hits}
        for top_k in (5, 40)
    ]
    assert len(few) == 5
    assert few.items() <= many.items()


async def test_explain_shows_every_feature_and_the_score_of_every_phase(
    client: httpx.AsyncClient,
) -> None:
    explained = (await rank(client, candidates(20), explain=True)).hits[0]
    assert set(explained.scores) == {
        "dense", "lexical", "recall", "coarse", "fine", *(f"feature_{name}" for name in NAMES)
    }  # fmt: skip
    assert explained.scores["feature_title_match"] == 1.0
    plain = (await rank(client, candidates(20))).hits[0]
    assert set(plain.scores) == {"dense", "lexical", "coarse", "fine"}


async def test_scores_are_probabilities_and_tell_a_match_from_noise(
    client: httpx.AsyncClient,
) -> None:
    """Comparable across queries: what answers the query is high, what does not is low."""
    found = candidates(50)
    relevant = await rank(client, found)
    noise = await client.post("/rank", json={"query": "烹饪", "candidates": found[5:]})
    low = RankResponse.model_validate_json(noise.content)
    assert relevant.hits[0].id == "p0"
    assert all(0 <= hit.score <= 1 for hit in (*relevant.hits, *low.hits))
    assert relevant.hits[0].score > 2 * low.hits[0].score


async def test_a_copy_is_left_out_and_makes_room(client: httpx.AsyncClient) -> None:
    found = candidates(12)
    copy = found[0] | {"id": "copy", "title": f"《{QUERY}》", "score": 0.999}
    answer = await rank(client, [*found, copy], top_k=12)
    ids = [hit.id for hit in answer.hits]
    assert len(ids) == 12
    assert len({"p0", "copy"} & set(ids)) == 1


async def test_no_candidates_are_no_hits(client: httpx.AsyncClient) -> None:
    answer = await rank(client, [])
    assert (answer.hits, answer.degraded) == ([], [])


async def test_rerank_scores_plain_texts(client: httpx.AsyncClient) -> None:
    texts = [QUERY, "水稻种植的历史", ""]
    answer = await client.post("/rerank", json={"query": QUERY, "documents": texts})
    scores = RerankResponse.model_validate_json(answer.content).scores
    assert len(scores) == 3
    assert all(0 <= score <= 1 for score in scores)
    assert scores[0] > scores[1]


async def test_rerank_reads_the_part_of_a_long_text_that_answers(client: httpx.AsyncClient) -> None:
    other = "水稻的种植有很长的历史，各地的品种不同。" * 20
    texts = [f"{other}本文研究国有企业引入非国有资本的绩效。{other}", other * 2]
    answer = await client.post("/rerank", json={"query": QUERY, "documents": texts})
    scores = RerankResponse.model_validate_json(answer.content).scores
    assert scores[0] > 2 * scores[1]


@pytest.mark.parametrize(("fitted_for", "warned"), [("", False), ("other", True), (None, False)])
def test_weights_of_another_ranker_are_named_in_the_log(
    ranker: Ranker,
    blend: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fitted_for: str | None,
    warned: bool,
) -> None:
    own = ranker.manifest.fingerprint if fitted_for is None else fitted_for
    path = tmp_path / "blend.json"
    path.write_text(json.dumps(json.loads(blend.read_bytes()) | {"ranker": own}))
    create_app(RankSettings(blend=path), ranker)
    assert ("eval blend" in caplog.text) is warned
