"""Measures the same cold searches on two running systems in turns, such as two versions.

Both see the same machine and the same queries, the natural queries of the development set
(data/natural_dev.tsv), each followed by numbers of this run and of the system, so that no cache has
the answer. The system that is asked first changes with every query.

    python -m benchmarks.two_systems http://127.0.0.1:8000 http://127.0.0.1:9000
"""

import argparse
import time
from collections.abc import Sequence

import httpx
import numpy as np

from benchmarks import report
from benchmarks.cold import queries, whole

SEARCHES = 60
WARM_UP = 8
_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints p50 and p99 of both systems and the ratio of the medians, with and without ranking."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("first", help="address of the gateway whose times are divided")
    parser.add_argument("second", help="address of the gateway by whose times they are divided")
    parser.add_argument("--searches", type=int, default=SEARCHES, help="number of each row")
    options = parser.parse_args(arguments)
    addresses = (options.first, options.second)
    asked = queries()
    rows = []
    with httpx.Client(timeout=_SECONDS) as http:
        for rank in (True, False):
            taken: list[list[float]] = [[], []]
            for turn in range(WARM_UP + options.searches):
                query = next(asked)
                for which in (0, 1) if turn % 2 else (1, 0):
                    took = _search(http, addresses[which], f"{query}{which}", rank=rank)
                    if turn >= WARM_UP:
                        taken[which].append(took)
            p50, p99 = np.quantile(taken, [0.5, 0.99], axis=1)
            rows.append(
                [
                    "with ranking" if rank else "without",
                    *(f"{value:.0f}" for value in (p50[0], p50[1], p99[0], p99[1])),
                    f"{p50[0] / p50[1]:.2f}",
                ]
            )
    header = ["searches", "first p50 ms", "second", "first p99 ms", "second", "ratio of p50"]
    print(report.table(header, rows))


def _search(http: httpx.Client, address: str, query: str, *, rank: bool) -> float:
    """Milliseconds of one search. Raises RuntimeError if it was not computed whole."""
    started = time.perf_counter()
    response = http.post(f"{address}/v1/search", json={"query": query, "rank": rank})
    took = (time.perf_counter() - started) * 1000
    whole(response)
    return took


if __name__ == "__main__":
    main()
