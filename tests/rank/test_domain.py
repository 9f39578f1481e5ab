"""Features, blend and the last selection, without a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import get_ident
from types import SimpleNamespace
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.blend import BLEND
from services.common.engine import BatchedRanker
from services.common.errors import ModelInvalid, ModelUnavailable
from services.common.odds import probability
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.common.wire.rank import RankCandidate, RankedHit
from services.rank.blend import Blend, read_blend
from services.rank.duplicates import Outline, Outlines, diverse, select, similarity
from services.rank.features import NAMES, AnalysedQuery, bare, coarse_features
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker
from services.rank.stopping import StopRule
from tests.analyzers import ANALYZER
from tests.rank.candidates import QUERY, candidates, write_blend

_TEXT = st.text(alphabet="国有企业创新绩效研究 abc，。\n", max_size=30)


def features(query: str, *found: RankCandidate) -> dict[str, npt.NDArray[np.float64]]:
    matrix = coarse_features(AnalysedQuery.of(query, ANALYZER), found, ANALYZER)
    return dict(zip(NAMES, matrix.T, strict=True))


def paper(title: str, text: str = "", score: float = 1.0) -> RankCandidate:
    return RankCandidate(id=title, title=title, text=text, dense=0.5, score=score)


@settings(deadline=None)
@given(_TEXT, st.lists(st.tuples(_TEXT, _TEXT, st.none() | st.floats(-1, 1)), max_size=5))
def test_features_lie_between_0_and_1(
    query: str, documents: list[tuple[str, str, float | None]]
) -> None:
    found = [
        RankCandidate(id=str(at), title=title, text=text, dense=dense, score=1.0)
        for at, (title, text, dense) in enumerate(documents)
    ]
    matrix = coarse_features(AnalysedQuery.of(query, ANALYZER), found, ANALYZER)
    assert matrix.shape == (len(found), len(NAMES))
    assert ((matrix >= 0) & (matrix <= 1)).all()


def test_what_a_leg_did_not_find_is_no_better_than_what_it_found_far_away() -> None:
    cosines = (0.6, 0.1, -0.2, None)
    found = features("企业", *(paper("x").model_copy(update={"dense": one}) for one in cosines))
    assert found["dense_relative"].tolist() == pytest.approx([1, 0.375, 0, 0])


def test_the_title_that_is_the_query_matches_best() -> None:
    found = features(QUERY, paper(QUERY), paper(f"论{QUERY}及其启示"), paper("水稻种植"))
    for name in ("title_match", "title_coverage", "title_share", "order"):
        assert found[name][0] == 1.0, name
        assert found[name][2] == 0.0, name
    assert 0 < found["title_match"][1] < 1
    assert 0 < found["title_share"][1] < 1


def test_traditional_characters_and_width_do_not_matter() -> None:
    found = features("國有企業ＡＢ", paper("国有企业ab"))
    assert found["title_match"][0] == 1.0


def test_words_of_the_text_count_where_the_title_lacks_them() -> None:
    found = features("创新绩效", paper("国企改革", "本文讨论创新绩效。"))
    assert found["title_coverage"][0] == 0.0
    assert found["text_coverage"][0] == found["order"][0] == 1.0


@pytest.mark.parametrize(
    ("query", "one", "other"),
    [
        ("3.5mm音频接口", "3.5mm音频接口的设计", "3.5 mm音频接口的设计"),
        ("10cm 钢板", "厚10cm的钢板", "厚10 cm的钢板"),
        ("转化率95%", "转化率达95%", "转化率达 95 %"),
        ("25°C 培养", "在25°C下培养", "在 25 °C 下培养"),
        ("基于神经网络的检索", "卷积神经网络与检索", "卷积神经网\n络与检\r\n　索"),
    ],
)
def test_words_count_in_each_way_they_are_written(query: str, one: str, other: str) -> None:
    in_text = features(query, paper("题", one), paper("题", other))
    in_title = features(query, paper(one), paper(other))
    for found, name in ((in_text, "text_coverage"), (in_title, "title_coverage")):
        assert found[name][0] == found[name][1] > 0, name
    assert in_text["order"][1] >= in_text["order"][0]


def test_a_candidate_that_holds_a_synonym_counts_as_if_that_had_been_typed() -> None:
    held = paper("卷积神经网络识别水稻", "用卷积神经网络识别水稻的病害", score=0.4)
    other = paper("水稻的病害", "识别水稻的病害", score=0.8)
    typed = features("卷积神经网络识别水稻", held, other)
    meant = features(
        "CNN识别水稻", held.model_copy(update={"wording": "卷积神经网络识别水稻"}), other
    )
    for name in NAMES:
        if name != "detail_in_text":  # It is the query's, the same for all candidates.
            assert meant[name][0] == typed[name][0], name
    as_typed = features("CNN识别水稻", held, other)
    for name in NAMES:
        assert meant[name][1] == as_typed[name][1], name
    assert as_typed["text_coverage"][0] < meant["text_coverage"][0] == 1.0


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("学生", "近代文学 生物"),  # a space parts words
        ("5g", "加入5 g食盐"),  # a name
        ("mm3", "3 mm"),
        ("3.5mm", "3.5 cm"),
    ],
)
def test_other_words_do_not_count(query: str, text: str) -> None:
    whole = features(query, paper("题", query), paper("题", text))["text_coverage"]
    assert whole[1] < whole[0]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("创新绩效", 0.0),
        ("创新", 0.0),
        ("怎样衡量国有企业的创新绩效和它的影响因素", 1.0),
        ("how do state owned companies measure their innovation", 1.0),
    ],
)
def test_a_text_counts_for_queries_that_give_details(query: str, detail: float) -> None:
    found = features(query, paper("国企", "本文讨论。"), paper("国企", " \n"), paper("国企"))
    assert found["detail_in_text"].tolist() == [detail, 0.0, 0.0]


def test_a_longer_query_gives_no_less_detail() -> None:
    words = ("国企", "创新", "绩效", "评价", "方法", "比较", "研究", "进展", "综述")
    values = [
        features(" ".join(words[:count]), paper("题", "本文。"))["detail_in_text"][0]
        for count in range(1, len(words) + 1)
    ]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert 0 < values[5] < 1


def test_the_shipped_blend_is_monotone() -> None:
    """More of any feature never lowers a score."""
    blend = read_blend()
    assert min(blend.coarse) >= 0
    assert blend.fine >= 0
    assert blend.fine_coarse >= 0
    assert np.ptp(blend.coarse_odds(np.eye(len(NAMES)))) > 0


def test_a_blend_of_other_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blend.json"
    path.write_text(json.dumps(json.loads(BLEND.read_text()) | {"coarse": {"dense": 1}}))
    with pytest.raises(ModelInvalid, match="xunwen eval blend"):
        read_blend(path)
    with pytest.raises(ModelInvalid):
        read_blend(tmp_path / "nowhere.json")


@given(st.floats(-1e6, 1e6))
def test_odds_of_any_size_are_a_probability(odds: float) -> None:
    value = float(probability(np.array(odds)))
    assert 0 <= value <= 1
    assert abs(value - 0.5) < 1e-9 or (value > 0.5) == (odds > 0)


def test_a_copy_of_a_chosen_one_is_left_out() -> None:
    grams = [Outline(frozenset(each)) for each in ("abcdefghij", "abcdefghij", "klm")]
    assert select([0.9, 0.8, 0.1], grams, top_k=3, diversity=0, duplicate=0.9) == [0, 2]
    assert select([0.9, 0.8, 0.1], grams, top_k=3, diversity=0, duplicate=1.1) == [0, 1, 2]


@given(
    st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), max_size=12), st.integers(1, 9)
)
def test_looking_only_as_far_as_needed_chooses_the_same(
    grams: list[frozenset[str]], top_k: int
) -> None:
    outlines = [Outline(each) for each in grams]
    scores = [1 - at / 100 for at in range(len(outlines))]
    chosen = select(scores, outlines, top_k=top_k, diversity=0, duplicate=0.5)
    assert chosen == diverse(scores, outlines, top_k=top_k, diversity=0, duplicate=0.5)


def test_outlines_are_made_as_far_down_as_hits_are_found() -> None:
    outlines = Outlines([paper(each["title"]) for each in candidates(50)], ANALYZER)
    select([1.0] * 50, outlines, top_k=5, diversity=0, duplicate=0.9)
    assert outlines.made < 10
    select([1.0] * 50, outlines, top_k=5, diversity=0.1, duplicate=0.9)
    assert outlines.made == 50


@given(st.text())
def test_bare_text_is_letters_and_digits(text: str) -> None:
    assert bare(text) == "".join(filter(str.isalnum, text))


def test_diversity_prefers_what_differs() -> None:
    grams = [Outline(frozenset(each)) for each in ("abcd", "abce", "xyz")]
    scores = [0.9, 0.8, 0.6]
    assert select(scores, grams, top_k=3, diversity=0, duplicate=2) == [0, 1, 2]
    assert select(scores, grams, top_k=3, diversity=0.5, duplicate=2) == [0, 2, 1]
    assert select(scores, grams, top_k=2, diversity=0.5, duplicate=2) == [0, 2]


def test_similarity_is_of_shared_grams() -> None:
    assert similarity(frozenset("ab"), frozenset("ab")) == 1.0
    assert similarity(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)


@dataclass
class Judge:
    """A FineRanker that answers for as many candidates as it has odds, or fails."""

    odds: list[float]
    fails: bool = False
    read: int = 0

    async def log_odds(
        self, query: str, found: Sequence[RankCandidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        if self.fails:
            raise ModelUnavailable("down")
        odds = np.full(len(found), np.nan, dtype=np.float32)
        given = self.odds[self.read : self.read + len(found)]
        odds[: len(given)] = given
        self.read += len(found)
        return odds


@dataclass
class ByTitle:
    """A FineRanker that knows the odds of each title."""

    odds: Mapping[str, float]

    async def log_odds(
        self, query: str, found: Sequence[RankCandidate], deadline: Deadline
    ) -> npt.NDArray[np.float32]:
        return np.array([self.odds[one.title] for one in found], dtype=np.float32)


async def ranked(judge: Judge, blend: Blend) -> tuple[list[str], list[str]]:
    found = [RankCandidate.model_validate(each) for each in candidates(6)]
    answer = await RankingPhases(judge, ANALYZER, blend, duplicate=2.0, depth=6).rank(
        QUERY, found, top_k=6, diversity=0, explain=False, deadline=Deadline.after(60)
    )
    return [hit.id for hit in answer.hits], answer.degraded


async def test_the_ranker_moves_what_it_saw(tmp_path: Path) -> None:
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    coarse, degraded = await ranked(Judge([], fails=True), blend)
    assert degraded == ["rank"]
    assert coarse[0] == "p0"
    last_first, degraded = await ranked(Judge([-9, -9, -9, -9, -9, 9]), blend)
    assert degraded == []
    assert last_first[0] == coarse[-1]
    partly, degraded = await ranked(Judge([-30.0]), blend)
    assert degraded == ["rank"]
    assert partly == [*coarse[1:], coarse[0]]


class Watching(WordAnalyzer):
    """A word analysis that notes the threads in which it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def fold(self, text: str) -> str:
        self.threads.add(get_ident())
        return super().fold(text)


@pytest.mark.parametrize("diversity", [0, 0.5])
async def test_other_searches_go_on_while_candidates_are_compared(
    tmp_path: Path, diversity: float
) -> None:
    analyzer, blend = Watching(), read_blend(write_blend(tmp_path / "blend.json"))
    found = [RankCandidate.model_validate(each) for each in candidates(30)]
    phases = RankingPhases(Judge([1.0] * 6), analyzer, blend, duplicate=0.9, depth=6)
    answer = await phases.rank(
        QUERY, found, top_k=5, diversity=diversity, explain=False, deadline=Deadline.after(60)
    )
    assert len(answer.hits) == 5
    assert get_ident() not in analyzer.threads


async def test_a_candidate_is_read_beside_its_own_wording() -> None:
    class Read:
        """A ranker whose logit is the number of characters of the query and of the text."""

        def __init__(self) -> None:
            self.ranker = SimpleNamespace(manifest=self)

        def texts_beside(self, query: str, found: Sequence[RankCandidate]) -> list[str]:
            return [f"{query}{one.title}" for one in found]

        async def score_in_time(
            self, query: str, texts: Sequence[str], deadline: Deadline
        ) -> npt.NDArray[np.float32]:
            return np.array([100 * len(query) + len(text) for text in texts], np.float32)

        def log_odds(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return logits

    found = [paper("a"), paper("bb").model_copy(update={"wording": "卷积神经网络"}), paper("ccc")]
    ranker = EngineRanker(cast(BatchedRanker, Read()))
    odds = await ranker.log_odds("CNN", found, Deadline.after(1))
    assert odds.tolist() == [304, 608, 306]


async def test_a_ranker_without_weight_is_not_asked(tmp_path: Path) -> None:
    shown = read_blend(write_blend(tmp_path / "blend.json"))
    mute = Blend(shown.coarse, shown.coarse_bias, 0.0, 1.0, 0.0)
    assert (await ranked(Judge([], fails=True), mute))[1] == []


@pytest.mark.parametrize(
    ("query", "reads_topics", "read"),
    [
        ("水稻病害", False, 0),
        ("水稻病害", True, 4),
        ("怎样用卷积神经网络识别水稻的病害和虫害", False, 4),
    ],
)
async def test_a_query_that_gives_no_detail_is_read_only_if_that_was_found_worth_it(
    tmp_path: Path, query: str, reads_topics: bool, read: int
) -> None:
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    blend = replace(blend, reads_topics=reads_topics)
    found = [RankCandidate.model_validate(each) for each in candidates(9)]
    phases = RankingPhases(Judge([0.0] * 4), ANALYZER, blend, duplicate=2.0, depth=4)
    answer = await phases.rank(
        query, found, top_k=9, diversity=0, explain=False, deadline=Deadline.after(60)
    )
    assert sum("fine" in hit.scores for hit in answer.hits) == read
    assert ("fine" in {stage.name for stage in answer.stages}) is (read > 0)
    assert answer.degraded == []


_EVEN = StopRule(intercept=-5.0, slope=1.0, spread=0.5, floor=0.0, chance=0.05)
"""Expects five less than the coarse log-odds, and minds only what may exceed 0."""


@pytest.mark.parametrize(
    ("best", "stop", "budget", "read", "stopped"),
    [
        (0.0, None, 40, 40, "depth"),
        (9.0, _EVEN, 40, 2, "settled"),
        (0.0, replace(_EVEN, intercept=50.0), 40, 40, "depth"),
        (0.0, replace(_EVEN, intercept=50.0), 20, 20, "budget"),
    ],
)
async def test_the_fine_phase_stops_when_nothing_unread_matters(
    tmp_path: Path, best: float, stop: StopRule | None, budget: int, read: int, stopped: str
) -> None:
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    judge = Judge([best] * budget)
    found = [RankCandidate.model_validate(each) for each in candidates(60)]
    phases = RankingPhases(judge, ANALYZER, blend, duplicate=2.0, depth=40, stop=stop)
    answer = await phases.rank(
        QUERY, found, top_k=3, diversity=0, explain=False, deadline=Deadline.after(60)
    )
    fine = next(stage for stage in answer.stages if stage.name == "fine")
    assert (fine.candidates, fine.stopped) == (read, stopped)
    assert answer.degraded == (["rank"] if stopped == "budget" else [])


@pytest.mark.parametrize(
    ("ahead", "boost", "read"),
    [(9.0, 0.0, 0), (0.1, 0.0, 2), (9.0, 9.0, 2)],
)
async def test_nothing_is_read_where_the_best_candidate_has_no_rival(
    tmp_path: Path, ahead: float, boost: float, read: int
) -> None:
    """A rival is near by its coarse score, or by what a boost adds to that."""
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    first, *others = [RankCandidate.model_validate(each) for each in candidates(9)]
    others = [one.model_copy(update={"title": "", "text": "", "dense": 0.0}) for one in others]
    weak = blend.coarse_odds(
        coarse_features(AnalysedQuery.of(QUERY, ANALYZER), [first, *others], ANALYZER)
    )
    lead = float(weak[0] - weak[1])
    assert lead > 0
    rule = StopRule(
        intercept=0.0, slope=0.0, spread=0.5, floor=-50.0, chance=50.0, doubt=1.0, rivals=0.5
    )
    blend = replace(blend, fine=1.0, fine_coarse=ahead / lead, fine_bias=0.0)
    others[0] = others[0].model_copy(update={"boost": boost})
    phases = RankingPhases(Judge([0.0] * 9), ANALYZER, blend, duplicate=2.0, depth=9, stop=rule)
    answer = await phases.rank(
        QUERY, [first, *others], top_k=3, diversity=0, explain=False, deadline=Deadline.after(60)
    )
    fine = next(stage for stage in answer.stages if stage.name == "fine")
    assert (fine.candidates, fine.stopped, answer.degraded) == (read, "settled", [])
    assert sum("fine" in hit.scores for hit in answer.hits) == read


async def test_reading_every_candidate_settles_the_answer(tmp_path: Path) -> None:
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    found = [RankCandidate.model_validate(each) for each in candidates(9)]
    phases = RankingPhases(Judge([0.0] * 9), ANALYZER, blend, duplicate=2.0, depth=40)
    answer = await phases.rank(
        QUERY, found, top_k=3, diversity=0, explain=False, deadline=Deadline.after(60)
    )
    assert [stage.stopped for stage in answer.stages if stage.name == "fine"] == ["settled"]


@given(st.floats(-8, 8), st.floats(-8, 8), st.integers(0, 5))
def test_a_better_answer_and_fewer_unread_leave_less_open(
    entry: float, unread: float, count: int
) -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 0.5, 0.5, 0.0)
    few = _EVEN.expected(blend, np.full(3, entry), np.full(count, unread), 3)
    more = _EVEN.expected(blend, np.full(3, entry), np.full(count + 1, unread), 3)
    better = _EVEN.expected(blend, np.full(3, entry + 1), np.full(count, unread), 3)
    assert better <= few <= more <= count + 1


@given(st.floats(-8, 8), st.lists(st.floats(-8, 8), max_size=6), st.floats(0, 8))
def test_a_longer_lead_leaves_fewer_rivals(best: float, others: list[float], doubt: float) -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 0.5, 0.5, 0.0)
    rule = replace(_EVEN, floor=-50.0, doubt=doubt, rivals=0.5)
    coarse = np.array([best, *others])
    lead = np.array([best + 1, *others])
    if rule.undisputed(blend, coarse):
        assert rule.undisputed(blend, lead)
        assert rule.undisputed(blend, coarse[:-1] if others else coarse)
        assert replace(rule, doubt=0.0).undisputed(blend, coarse)
    assert not replace(rule, rivals=0.0).undisputed(blend, coarse)


@pytest.mark.parametrize("entry", [-1.0, 1.5, 2.5])
@pytest.mark.parametrize("boost", [0.0, 0.8])
def test_as_many_are_expected_as_would_matter_among_all_scores_of_the_prediction(
    entry: float, boost: float
) -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 2.0, 1.0, 0.25)
    rule = StopRule(intercept=-1.0, slope=0.5, spread=0.7, floor=1.0, chance=0.05)
    unread = np.array([-0.5, 0.5, 1.0])
    chances = (np.arange(20_000) + 0.5) / 20_000
    noise = np.log(chances / (1 - chances))
    matter = 0.0
    for coarse in unread:
        scores = rule.intercept + rule.slope * coarse + rule.spread * noise
        final = blend.final_odds(np.full(len(scores), coarse), scores)
        matter += float(np.mean((final + boost >= entry) & (final >= rule.floor)))
    expected = rule.expected(blend, np.full(3, entry), unread, 3, np.full(3, boost))
    assert expected == pytest.approx(matter, abs=1e-3)
    assert 0 < expected < 3


def test_a_boost_of_the_best_candidate_leaves_it_fewer_rivals() -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 0.5, 0.5, 0.0)
    rule = replace(_EVEN, floor=-50.0, rivals=0.1)
    coarse = np.array([1.0, 1.0])
    assert not rule.undisputed(blend, coarse)
    assert rule.undisputed(blend, coarse, np.array([9.0, 0.0]))


def test_what_the_ranker_cannot_lift_into_the_answer_is_not_read() -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 2.0, 1.0, 0.0)
    hopeful = replace(_EVEN, intercept=50.0)
    assert hopeful.expected(blend, np.full(3, 5.0), np.array([2.9]), 3) == 0.0
    assert hopeful.expected(blend, np.full(3, 5.0), np.array([3.1]), 3) == pytest.approx(1.0)


def test_a_ranker_far_off_outweighs_no_more_than_its_weight() -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 2.0, 1.0, 0.0)
    final = blend.final_odds(np.zeros(3), np.array([-1000.0, 0.0, 1000.0]))
    assert final.tolist() == [0.0, 1.0, 2.0]


DENSE_ALONE = tuple(1.0 if name == "dense" else 0.0 for name in NAMES)
"""Weights of features by which candidates keep the order of their cosines."""


def boosted(*found: RankCandidate, boosts: Mapping[str, float]) -> list[RankCandidate]:
    return [one.model_copy(update={"boost": boosts.get(one.id, 0.0)}) for one in found]


@pytest.mark.parametrize("read", [0, 6])
@pytest.mark.parametrize("factor", [0.01, 0.5, 3.0, 100.0])
async def test_a_boost_multiplies_the_odds_and_changes_no_other_score(
    tmp_path: Path, read: int, factor: float
) -> None:
    blend = read_blend(write_blend(tmp_path / "blend.json"))
    if not read:
        blend = replace(blend, fine=0.0)
    plain = [RankCandidate.model_validate(each) for each in candidates(6)]

    async def scores(found: Sequence[RankCandidate]) -> dict[str, RankedHit]:
        # Each candidate has odds of its own, in whatever order they are read.
        judge = ByTitle({one.title: float(place) for place, one in enumerate(plain)})
        phases = RankingPhases(judge, ANALYZER, blend, duplicate=2.0, depth=6)
        answer = await phases.rank(
            QUERY, found, top_k=6, diversity=0, explain=True, deadline=Deadline.after(60)
        )
        assert [hit.score for hit in answer.hits] == sorted(
            (hit.score for hit in answer.hits), reverse=True
        )
        return {hit.id: hit for hit in answer.hits}

    before = await scores(plain)
    after = await scores(boosted(*plain, boosts={"p3": float(np.log(factor))}))
    for one in plain:
        odds = before[one.id].score / (1 - before[one.id].score)
        raised = odds * (factor if one.id == "p3" else 1)
        assert after[one.id].score == pytest.approx(raised / (1 + raised))
        assert after[one.id].scores.get("boost", 1.0) == (factor if one.id == "p3" else 1.0)
        others = {name: value for name, value in after[one.id].scores.items() if name != "boost"}
        assert others == before[one.id].scores


@pytest.mark.parametrize(
    ("boosts", "read"),
    [
        ({}, {"p0", "p1"}),
        ({"p5": 50.0}, {"p0", "p5"}),
        ({"p0": -50.0}, {"p1", "p2"}),
        ({"p4": 50.0, "p5": 50.0}, {"p4", "p5"}),
    ],
)
async def test_the_ranker_reads_what_is_best_with_boosts(
    tmp_path: Path, boosts: Mapping[str, float], read: set[str]
) -> None:
    blend = replace(read_blend(write_blend(tmp_path / "blend.json")), coarse=DENSE_ALONE)
    plain = [RankCandidate.model_validate(each) for each in candidates(6)]
    judge = ByTitle({one.title: 0.0 for one in plain})
    answer = await RankingPhases(judge, ANALYZER, blend, duplicate=2.0, depth=2).rank(
        QUERY, boosted(*plain, boosts=boosts), top_k=6, diversity=0, explain=False,
        deadline=Deadline.after(60),
    )  # fmt: skip
    assert {hit.id for hit in answer.hits if "fine" in hit.scores} == read


async def test_candidates_that_only_boosts_brought_change_no_scale(tmp_path: Path) -> None:
    """Features are relative to the best candidates without boosts."""
    blend = replace(read_blend(write_blend(tmp_path / "blend.json")), fine=0.0)
    every = [RankCandidate.model_validate(each) for each in candidates(300)]
    phases = RankingPhases(Judge([]), ANALYZER, blend, duplicate=2.0, depth=6)

    async def scores(found: Sequence[RankCandidate]) -> dict[str, float]:
        answer = await phases.rank(
            QUERY, found, top_k=40, diversity=0, explain=False, deadline=Deadline.after(60)
        )
        return {hit.id: hit.score for hit in answer.hits}

    usual = await scores(every[:200])
    lifted = every[290].model_copy(update={"boost": 40.0})
    found = await scores([lifted, *every[:200]])
    assert next(iter(found)) == lifted.id
    for identity in found.keys() - {lifted.id}:
        assert found[identity] == usual[identity]


def test_the_rule_reads_on_for_what_a_boost_may_lift_into_the_answer() -> None:
    blend = Blend((1.0,) * len(NAMES), 0.0, 2.0, 1.0, 0.0)
    hopeful = replace(_EVEN, intercept=50.0)
    unread = np.array([2.9])
    assert hopeful.expected(blend, np.full(3, 5.0), unread, 3) == 0.0
    lifted = hopeful.expected(blend, np.full(3, 5.0), unread, 3, np.array([0.2]))
    assert lifted == pytest.approx(1.0)
    irrelevant = replace(hopeful, floor=6.0)
    assert irrelevant.expected(blend, np.full(3, 5.0), unread, 3, np.array([9.0])) == 0.0
