"""Fusion of the two legs, checked by hand."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.recall.domain import Found
from services.recall.legs.fusion import Fusion, fuse


def leg(**scores: float) -> list[Found]:
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return [Found(id_, score) for id_, score in ordered]


def test_weighted_fusion_scales_each_leg_to_its_own_range() -> None:
    fused = fuse(leg(a=0.9, b=0.8, c=0.7), leg(b=12.0, d=6.0, c=9.0), 10, Fusion("weighted", 0.7))
    assert [each.document.id for each in fused] == ["a", "b", "c", "d"]
    assert [each.score for each in fused] == pytest.approx([0.7, 0.65, 0.15, 0.0])
    assert (fused[1].dense, fused[1].lexical) == (0.8, 12.0)
    assert (fused[0].lexical, fused[3].dense) == (None, None)


def test_reciprocal_rank_fusion_adds_inverse_ranks() -> None:
    fused = fuse(leg(a=3, b=2), leg(b=9, c=1), 10, Fusion("reciprocal_rank", rank_constant=10))
    assert [each.document.id for each in fused] == ["b", "a", "c"]
    assert fused[0].score == pytest.approx(1 / 12 + 1 / 11)


def test_one_leg_alone_keeps_its_order() -> None:
    fused = fuse([], leg(a=1, b=3, c=2), 2, Fusion())
    assert [each.document.id for each in fused] == ["b", "c"]
    assert fuse([], [], 5, Fusion()) == []


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1)),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 50)),
    st.sampled_from([Fusion(), Fusion("reciprocal_rank"), Fusion("weighted", 0.0)]),
)
@example({}, {"a": 0.0, "b": 5e-324}, Fusion())
def test_each_document_comes_once_best_first(
    dense: dict[str, float], lexical: dict[str, float], fusion: Fusion
) -> None:
    fused = fuse(leg(**dense), leg(**lexical), 100, fusion)
    assert {each.document.id for each in fused} == {*dense, *lexical}
    assert len(fused) == len({*dense, *lexical})
    scores = [each.score for each in fused]
    assert scores == sorted(scores, reverse=True)


def _slowly(dense: list[Found], lexical: list[Found], fusion: Fusion) -> list[tuple[str, float]]:
    """Fusion as its definition says it: all documents, sorted whole."""

    def part(leg: list[Found], weight: float, id_: str) -> float:
        rank = next((rank for rank, found in enumerate(leg) if found.id == id_), None)
        if rank is None:
            return 0.0
        if fusion.method == "reciprocal_rank":
            return 1 / (fusion.rank_constant + rank + 1)
        best, worst = leg[0].score, leg[-1].score
        return (leg[rank].score - worst) / (best - worst) * weight if best > worst else weight

    scores = {
        id_: part(dense, fusion.dense_weight, id_) + part(lexical, 1 - fusion.dense_weight, id_)
        for id_ in {found.id for found in (*dense, *lexical)}
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.1, 0.5, 0.9])),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 50)),
    st.sampled_from([Fusion(), Fusion("reciprocal_rank"), Fusion("weighted", 0.3)]),
    st.integers(1, 9),
)
def test_the_best_are_the_first_of_all_sorted(
    dense: dict[str, float], lexical: dict[str, float], fusion: Fusion, n: int
) -> None:
    legs = leg(**dense), leg(**lexical)
    fused = fuse(*legs, n, fusion)
    assert [(each.document.id, each.score) for each in fused] == _slowly(*legs, fusion)[:n]
