"""Planning of batches: nothing lost, nothing padded to the maximum, no cheaper cut."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.engine.batches import Passes, plan_batches
from services.common.engine.paddle import PaddlePredictor

_LENGTHS = st.lists(st.integers(1, 512), max_size=300)


def _passes(token_budget: int, own_tokens: int = 200, step: int = 16) -> Passes:
    return Passes(at_once=1, token_budget=token_budget, own_tokens=own_tokens, step=step)


@given(_LENGTHS, st.integers(16, 4096), st.sampled_from([1, 16]))
def test_every_sequence_is_in_one_batch_within_the_budget(
    lengths: list[int], budget: int, step: int
) -> None:
    passes = _passes(budget, step=step)
    plan = plan_batches(lengths, passes)
    assert sorted(position for batch in plan for position in batch) == list(range(len(lengths)))
    for batch in plan:
        columns = passes.columns(max(lengths[position] for position in batch))
        assert len(batch) == 1 or len(batch) * columns <= budget


@given(_LENGTHS)
def test_batches_are_sorted_by_length(lengths: list[int]) -> None:
    plan = plan_batches(lengths, _passes(1024))
    ordered = [lengths[position] for batch in plan for position in batch]
    assert ordered == sorted(lengths, reverse=True)


@pytest.mark.parametrize(("length", "columns"), [(1, 16), (16, 16), (17, 32), (256, 256)])
def test_columns_are_multiples_of_the_step(length: int, columns: int) -> None:
    assert _passes(1024).columns(length) == columns
    assert _passes(1024, step=1).columns(length) == length


@given(st.integers(1, 512))
def test_padding_is_small_and_shapes_are_few(length: int) -> None:
    passes = PaddlePredictor.passes
    assert length <= passes.columns(length) < length + 16
    assert len({passes.columns(each) for each in range(1, 513)}) <= 48


@given(
    st.lists(st.integers(1, 128), min_size=1, max_size=8),
    st.integers(128, 512),
    st.sampled_from([0, 16, 200]),
)
def test_no_other_cut_is_cheaper(lengths: list[int], budget: int, own_tokens: int) -> None:
    passes = _passes(budget, own_tokens)
    longest_first = sorted(lengths, reverse=True)

    def cost(sizes: list[int]) -> int:
        """Padded tokens and those of the passes; beyond the budget too much to win."""
        total = start = 0
        for size in sizes:
            padded = size * passes.columns(longest_first[start])
            total += own_tokens + (padded if padded <= budget else 10**6)
            start += size
        return total

    count = len(lengths)
    cuts = [
        [end - start for start, end in zip((0, *inner), (*inner, count), strict=True)]
        for number in range(count)
        for inner in combinations(range(1, count), number)
    ]
    plan = plan_batches(lengths, passes)
    assert cost([len(batch) for batch in plan]) == min(map(cost, cuts))
