"""Times searches one after the other. This module imports nothing, so that every environment can
run it."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Hit = TypeVar("Hit")

TOP = 10
"""Number of hits that a search answers."""


def times(
    search: Callable[[str], Sequence[object]], queries: Sequence[str], least: int = TOP
) -> list[float]:
    """Milliseconds that each query takes; the first one warms up and is not counted.

    Raises RuntimeError for fewer than `least` hits, since such a search did less than the others.
    """
    took = []
    for query in queries:
        started = time.perf_counter()
        hits = search(query)
        took.append((time.perf_counter() - started) * 1000)
        if not least <= len(hits) <= TOP:
            raise RuntimeError(f"{len(hits)} hits instead of {TOP}")
    return took[1:]


def reranked(found: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The best TOP hits of a search that ranks the first of what it found: these by their scores,
    then the others in the order in which they were found."""
    best = sorted(range(len(scores)), key=lambda at: -scores[at])
    return [*(found[at] for at in best), *found[len(scores) :]][:TOP]
