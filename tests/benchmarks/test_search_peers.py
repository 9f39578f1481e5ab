"""What a search is set beside does the same work: it answers ten hits, and ranks as many candidates
as the fine phase reads."""

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import floor
from benchmarks.search_peers import DEPTH, _ours
from benchmarks.texts import literature
from benchmarks.timing import TOP, reranked, times
from tests.client.scripted import scripted_gateway
from tests.models import tiny_encoder, tiny_ranker

FOUND = [f"d{number}" for number in range(12)]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([], FOUND[:10]),
        ([0.1, 0.9, 0.5], ["d1", "d2", "d0", *FOUND[3:10]]),
        ([float(number) for number in range(12)], FOUND[:1:-1]),
    ],
)
def test_those_that_are_not_ranked_follow_in_the_order_of_recall(
    scores: list[float], best: list[str]
) -> None:
    assert reranked(FOUND, scores) == best


def test_the_floor_answers_ten_hits_whatever_the_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floor, "ENCODER", tiny_encoder(tmp_path / "encoder"))
    monkeypatch.setattr(floor, "RANKER", tiny_ranker(tmp_path / "ranker"))
    documents = list(islice(literature(), 40))
    for depth in (DEPTH, TOP, 2 * TOP):
        searches = floor.bare(documents, depth)
        for search in searches:
            assert len(times(search, ["卫星姿态", "水稻病害"])) == 1


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ({"cached": False, "degraded": []}, True),
        ({"cached": True, "degraded": []}, False),
        ({"cached": False, "degraded": ["rank"]}, False),
    ],
)
def test_an_answer_that_took_less_work_is_no_figure(
    answer: dict[str, object], counts: bool
) -> None:
    with scripted_gateway() as gateway:
        gateway.answer(200, {"hits": [], **answer})
        if counts:
            assert len(_ours(gateway.url, ["a", "b"], ["c", "d"])["ranked"]) == 1
        else:
            with pytest.raises(RuntimeError, match="is cached or lacks"):
                _ours(gateway.url, ["a", "b"], ["c", "d"])
