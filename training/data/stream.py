"""Batches whose order depends on the seed and the epoch alone, so that a run can resume."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from services.common.engine.predictor import FloatArray
from training.data.lines import Parts
from training.data.neighbours import neighbourhoods

E = TypeVar("E")

SORTED_BATCHES = 32
"""Number of batches whose shuffled examples are sorted by length together."""


@dataclass(frozen=True, slots=True)
class Position:
    """The epoch at which a run goes on, and the number of the next batch in it, both from 0."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Batching(Generic[E]):
    """A rule that divides examples into batches of one group each, with at most `size` examples and
    `tokens` tokens with padding. A longer example is a batch by itself."""

    size: int
    tokens: int
    length: Callable[[E], int]
    group: Callable[[E], Hashable]
    vectors: Callable[[Sequence[E]], FloatArray] | None = None
    """Function that gives examples their vectors, float32 [examples, dimension]; near ones share a
    batch. With None those of similar length share it."""
    streamed: bool = False
    """Whether examples are read when their batch comes, so that few are held at a time. Those of
    `Parts` are grouped already; others must be of one group."""

    def batches(self, examples: Sequence[E], rng: np.random.Generator) -> Iterable[list[E]]:
        """All examples in batches, each example once, the batches in random order.

        The examples of a batch have near vectors, or similar lengths if `vectors` is None or
        `streamed` is set.
        """
        if not self.streamed:
            return self._all(examples, rng)
        if isinstance(examples, Parts):
            return self._mixed(examples.parts, rng)
        return self._windows(examples, rng)

    def _mixed(self, parts: Sequence[Sequence[E]], rng: np.random.Generator) -> Iterator[list[E]]:
        """The batches of all parts. The next batch is drawn from a part in proportion to the
        examples that it has left."""
        walks = [self._windows(part, rng) for part in parts]
        left = np.array([len(part) for part in parts], dtype=np.int64)
        while left.any():
            part = int(rng.choice(len(left), p=left / left.sum()))
            batch = next(walks[part])
            left[part] -= len(batch)
            yield batch

    def _windows(self, examples: Sequence[E], rng: np.random.Generator) -> Iterator[list[E]]:
        """The batches of windows of SORTED_BATCHES batches; examples are drawn into windows at
        random, and the batches of a window are in random order."""
        order = rng.permutation(len(examples))
        window = self.size * SORTED_BATCHES
        for start in range(0, len(order), window):
            some = [examples[index] for index in order[start : start + window]]
            batches = [*self._cut(sorted(some, key=self.length))]
            yield from (batches[index] for index in rng.permutation(len(batches)))

    def _all(self, examples: Sequence[E], rng: np.random.Generator) -> list[list[E]]:
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
        """Yields each batch and the position after it, from the stream's position on."""
        epoch, first = self._position.epoch, self._position.batch
        while True:
            rng = np.random.default_rng([self._seed, epoch])
            batches = iter(self._batching.batches(self._examples(rng), rng))
            index, batch = 0, next(batches, None)
            while batch is not None:
                index, following = index + 1, next(batches, None)
                after = Position(epoch + 1, 0) if following is None else Position(epoch, index)
                if index > first:
                    yield batch, after
                batch = following
            epoch, first = epoch + 1, 0
