"""Batches in an order that depends on the seed and the epoch alone, so that a run can resume."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from services.common.engine.predictor import FloatArray
from training.data.neighbours import neighbourhoods

E = TypeVar("E")

SORTED_BATCHES = 32
"""So many batches' worth of shuffled examples are sorted by length together."""


@dataclass(frozen=True, slots=True)
class Position:
    """The next batch: its epoch and its place there."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Batching(Generic[E]):
    """At most `size` examples and `tokens` padded tokens a batch; each batch of one group."""

    size: int
    tokens: int
    length: Callable[[E], int]
    group: Callable[[E], Hashable]
    vectors: Callable[[Sequence[E]], FloatArray] | None = None
    """float32 [examples, dimension]; where given, examples with near ones share a batch."""

    def batches(self, examples: Sequence[E], rng: np.random.Generator) -> list[list[E]]:
        """Every example once; batches come in random order.

        Who shares a batch is alike by `vectors`, or in length.
        """
        groups: dict[Hashable, list[E]] = defaultdict(list)
        for index in rng.permutation(len(examples)):
            groups[self.group(examples[index])].append(examples[index])
        batches: list[list[E]] = []
        for members in groups.values():
            if self.vectors is not None:
                near = neighbourhoods(self.vectors(members), rng)
                rows = np.concatenate([near[index] for index in rng.permutation(len(near))])
                batches += self._cut([members[row] for row in rows])
                continue
            window = self.size * SORTED_BATCHES
            for start in range(0, len(members), window):
                batches += self._cut(sorted(members[start : start + window], key=self.length))
        return [batches[index] for index in rng.permutation(len(batches))]

    def _cut(self, ordered: Sequence[E]) -> Iterator[list[E]]:
        batch: list[E] = []
        longest = 0
        for example in ordered:
            length = self.length(example)
            padded = (len(batch) + 1) * max(longest, length)
            if batch and (len(batch) == self.size or padded > self.tokens):
                yield batch
                batch, longest = [], 0
            batch.append(example)
            longest = max(longest, length)
        if batch:
            yield batch


class BatchStream(Generic[E]):
    """An endless walk over epochs of batches; `examples(rng)` makes each epoch's examples."""

    def __init__(
        self,
        examples: Callable[[np.random.Generator], Sequence[E]],
        batching: Batching[E],
        seed: int,
        position: Position,
    ) -> None:
        self._examples, self._batching, self._seed = examples, batching, seed
        self._position = position

    def __iter__(self) -> Iterator[tuple[list[E], Position]]:
        """(batch, position after it) from the stream's position on."""
        epoch, first = self._position.epoch, self._position.batch
        while True:
            rng = np.random.default_rng([self._seed, epoch])
            batches = self._batching.batches(self._examples(rng), rng)
            for index in range(first, len(batches)):
                last = index + 1 == len(batches)
                yield (
                    batches[index],
                    Position(epoch + 1, 0) if last else Position(epoch, index + 1),
                )
            epoch, first = epoch + 1, 0
