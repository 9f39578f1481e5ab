"""Measures pairs per second of the ranker beside its peers, and the cost of the whole cascade above
it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import peers, report
from benchmarks.run import Run
from benchmarks.texts import papers
from services.common.engine import PredictorOptions, batched_ranker, open_ranker
from services.common.request_context import Deadline
from services.common.text import WordAnalyzer
from services.common.wire.rank import RankCandidate, considered
from services.rank.blend import read_blend
from services.rank.phases import RankingPhases
from services.rank.ranker import EngineRanker

MODEL = Path("models/literature-ranker")
QUERY = "国有企业引入非国有资本对创新绩效的影响"
COUNTS = (100, 1000)
ROUNDS = 2
HITS = 10
"""Hits of the searches whose candidates go through all phases."""


def main(run: Run) -> None:
    ranker = open_ranker(MODEL, run.options)
    titles = [paper["title"] for paper in papers()]
    sets = {f"{count} titles": titles[:count] for count in COUNTS}
    sets["100 abstracts"] = [paper["text"] for paper in papers()[:100]]
    request = run.request(
        "rerank", MODEL, rounds=ROUNDS, max_tokens=ranker.manifest.max_tokens,
        sets={name: [[QUERY, each] for each in found] for name, found in sets.items()},
    )  # fmt: skip

    def turn() -> dict[str, peers.Figures | str]:
        own = {
            name: run.rate(partial(ranker.score, QUERY), documents, ROUNDS)
            for name, documents in sets.items()
        }
        return {"ours": own} | run.peer_rates(request, sets)

    figures = peers.in_turns(turn)
    figures["cascade"] = asyncio.run(_cascade(run.options))
    figures["precision"] = ranker.precision
    figures["processor_time"] = run.processor_time
    report.save(run.results("rerank"), figures, _table(figures, list(sets)))


async def _cascade(options: PredictorOptions) -> dict[str, float]:
    """Seconds of the fine phase over all candidates that rank considers for a search, and of all
    phases over them; with their number."""
    found = [
        RankCandidate(
            id=paper["id"], title=paper["title"], text=paper["text"],
            dense=0.8 - at / 2000, lexical=20 - at / 100, score=1 - at / 1000,
        )
        for at, paper in enumerate(papers())
    ]  # fmt: skip
    times: dict[str, list[float]] = {"fine": [], "all": []}
    async with batched_ranker(open_ranker(MODEL, options)) as batched:
        fine = EngineRanker(batched)
        blend = read_blend()
        depth = considered(HITS)
        phases = RankingPhases(fine, WordAnalyzer(), blend, duplicate=0.9, depth=depth)
        for _ in range(ROUNDS + 1):
            answer = await phases.rank(
                QUERY, found, top_k=HITS, diversity=0, explain=False,
                deadline=Deadline.after(600),
            )  # fmt: skip
            took = {stage.name: stage.took_ms / 1000 for stage in answer.stages}
            if "fine" not in took:
                return {}
            times["fine"].append(took["fine"])
            times["all"].append(sum(took.values()))
    return {"candidates": depth, **{name: min(seconds) for name, seconds in times.items()}}


def _table(figures: dict[str, Any], sets: Sequence[str]) -> str:
    rows = []
    for name, found in figures.items():
        if name in ("cascade", "precision", "processor_time"):
            continue
        if isinstance(found, str):
            rows.append([name, found, *[""] * (len(sets) - 1)])
            continue
        cells = [f"{found[each]:.0f} ({figures['ours'][each] / found[each]:.1f}x)" for each in sets]
        rows.append([name, *cells])
    markdown = report.table(["pairs/s (ours is so many times faster)", *sets], rows)
    if spent := figures["cascade"]:
        markdown += (
            f"\n\n{spent['candidates']} candidates with abstracts, all read, through all phases:"
            f" {spent['all']:.2f} s, {spent['all'] / spent['fine']:.2f}x the fine phase by itself"
            f" ({spent['fine']:.2f} s)."
        )
    return markdown
