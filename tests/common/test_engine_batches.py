"""Planning of batches: nothing lost, nothing padded to the maximum."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from services.common.engine.batches import padded_length, plan_batches

_LENGTHS = st.lists(st.integers(1, 512), max_size=300)


@given(_LENGTHS, st.integers(16, 4096))
def test_every_sequence_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    plan = plan_batches(lengths, budget)
    assert sorted(position for batch in plan for position in batch) == list(range(len(lengths)))
    for batch in plan:
        longest = padded_length(max(lengths[position] for position in batch))
        assert len(batch) == 1 or len(batch) * longest <= budget


@given(_LENGTHS)
def test_batches_are_sorted_by_length(lengths: list[int]) -> None:
    ordered = [lengths[position] for batch in plan_batches(lengths, 1024) for position in batch]
    assert ordered == sorted(lengths, reverse=True)


@given(st.integers(1, 512))
def test_padding_is_small_and_shapes_are_few(length: int) -> None:
    assert length <= padded_length(length) < length + 16
    assert len({padded_length(each) for each in range(1, 513)}) == 32


@given(st.lists(st.integers(1, 128), min_size=1, max_size=8), st.integers(128, 512))
def test_no_other_cut_is_cheaper(lengths: list[int], budget: int) -> None:
    longest_first = sorted(lengths, reverse=True)

    def cost(sizes: list[int]) -> int:
        """Padded tokens and 200 a pass; beyond the budget too much to win."""
        total = start = 0
        for size in sizes:
            padded = size * padded_length(longest_first[start])
            total += 200 + (padded if padded <= budget else 10**6)
            start += size
        return total

    count = len(lengths)
    cuts = [
        [end - start for start, end in zip((0, *inner), (*inner, count), strict=True)]
        for passes in range(count)
        for inner in combinations(range(1, count), passes)
    ]
    plan = plan_batches(lengths, budget)
    assert cost([len(batch) for batch in plan]) == min(map(cost, cuts))
