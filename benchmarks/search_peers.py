"""Times searches of the sample with other software, in one run on one machine.

There are two tables: recall of the ten best documents, and the same with ranking. Queries are
natural queries of the development set, and each is used once. The stacks rank as many candidates as
our fine phase reads at most; PaddleNLP's way ranks the thousand that it recalled, which takes so
long that it has fewer queries.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import cold, floor, peers, report
from benchmarks.texts import literature
from benchmarks.timing import times
from services.common.engine import PredictorOptions
from services.rank.settings import RankSettings
from tests.servers import milvus_lite

QUERIES = 60
"""Number of queries of each table, after one that warms up."""
PADDLENLP_QUERIES = 5
"""Number of ranked queries of PaddleNLP's way."""
DEPTH: int = RankSettings.model_fields["keep"].default
"""Number of candidates that are ranked, which is the most that our fine phase reads."""
TRIAL_QUERIES = 4
MAX_TOKENS = 160
"""Limit in tokens of a pair, the same for every ranker."""
_SECONDS = 3600

Times = dict[str, list[float]]
"""Milliseconds of each query, under `recall` and `ranked`."""


def main(url: str, stacks: Sequence[str], trial: int | None = None) -> None:
    """Measures all stacks, one after the other, and saves both tables.

    `trial` cuts the sample to so many documents, and takes few queries.
    """
    documents = literature()[:trial]
    count = 1 + (TRIAL_QUERIES if trial else QUERIES)
    asked = cold.queries()
    queries, ranked = list(islice(asked, count)), list(islice(asked, count))
    figures: dict[str, Times | str] = {"Xunwen": _ours(url, queries, ranked)}
    with tempfile.TemporaryDirectory(prefix="xunwen-bench-") as folder:
        for stack in stacks:
            figures[stack] = _stack(stack, documents, queries, ranked, Path(folder))
        recall, rank = floor.bare(documents, min(DEPTH, len(documents)))
        figures["NumPy and bm25s, one process"] = {
            "recall": times(recall, queries),
            "ranked": times(rank, ranked),
        }
        with milvus_lite(Path(folder)) as server:
            recall, rank = floor.paddlenlp_way(documents, server.url)
            figures["PaddleNLP's way on Milvus"] = {
                "recall": times(recall, queries),
                "ranked": times(rank, ranked[: 1 + PADDLENLP_QUERIES]),
            }
    tables = [f"{title}\n\n{_table(figures, kind)}" for title, kind in (
        ("Recall, the ten best", "recall"), ("With ranking", "ranked"),
    )]  # fmt: skip
    summary = {name: found if isinstance(found, str) else _summary(found)
               for name, found in figures.items()}  # fmt: skip
    report.save("search-peers", summary, "\n\n".join(tables))


def _ours(url: str, queries: Sequence[str], ranked: Sequence[str]) -> Times:
    with httpx.Client(base_url=url, timeout=120) as http:

        def search(query: str, rank: bool) -> list[Any]:
            body = {"query": query, "rank": rank, "budget_ms": 30_000}
            hits: list[Any] = cold.whole(http.post("/v1/search", json=body))["hits"]
            return hits

        return {
            "recall": times(lambda query: search(query, rank=False), queries, least=0),
            "ranked": times(lambda query: search(query, rank=True), ranked, least=0),
        }


def _stack(
    stack: str,
    documents: floor.Documents,
    queries: Sequence[str],
    ranked: Sequence[str],
    work: Path,
) -> Times | str:
    """The milliseconds of one stack, or the reason why there is no figure."""
    if reason := peers.install(stack):
        return reason
    request = {
        "model": str(floor.ENCODER.resolve()),
        "ranker": str(floor.RANKER.resolve()),
        "work": str(work),
        "documents": documents,
        "queries": queries,
        "ranked_queries": ranked,
        "depth": min(DEPTH, len(documents)),
        "threads": PredictorOptions().thread_count(),
        "max_tokens": MAX_TOKENS,
    }
    try:
        run = subprocess.run(
            [peers.environment_of(stack) / "bin/python", report.HERE / "search_peer.py", stack],
            input=json.dumps(request), capture_output=True, text=True, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"took longer than {_SECONDS} s"
    if run.returncode:
        print(run.stderr[-2000:], file=sys.stderr)
        return "failed"
    times: Times = json.loads(run.stdout.strip().splitlines()[-1])
    return times


def _summary(times: Times) -> dict[str, dict[str, float]]:
    return {
        kind: {
            "p50_ms": float(np.quantile(took, 0.5)),
            "p99_ms": float(np.quantile(took, 0.99)),
            "queries": len(took),
        }
        for kind, took in times.items()
    }


def _table(figures: dict[str, Times | str], kind: str) -> str:
    ours = figures["Xunwen"]
    rows = []
    for name, found in figures.items():
        if isinstance(found, str) or isinstance(ours, str):
            rows.append([name, str(found), "", ""])
            continue
        median = float(np.median(found[kind]))
        ratio = median / float(np.median(ours[kind]))
        rows.append([name, f"{median:.1f}", f"{np.quantile(found[kind], 0.99):.1f}",
                     f"{ratio:.2f}x"])  # fmt: skip
    return report.table(["", "p50 ms", "p99 ms", "ours is so many times as fast"], rows)
