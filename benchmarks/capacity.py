"""Measures the figures of docs/scaling.md: the work that a core does in a second, and the bytes
that a document takes.

    .venv/bin/python benchmarks/capacity.py [--seconds 5]

Measures the shipped models on the sample literature, and computes the sizes of Milvus's indexes
from their layouts. Time is processor time of the best turn, so that other programs count little.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from services.common.engine import PredictorOptions, open_encoder, open_ranker
from services.common.precision import WantedPrecision
from services.common.text import WordAnalyzer

ROOT = Path(__file__).parents[1]
_HNSW_M = 16
_GRAPH_DEGREE = 56
"""Links of a node in DISKANN; Milvus's default."""
_SECTOR = 4096
_PQ_PARTS = 48


def samples(name: str, count: int) -> list[dict[str, str]]:
    lines = (ROOT / "data" / name).read_text(encoding="utf-8").splitlines()[:count]
    return [json.loads(line) for line in lines]


def rate(work: Callable[[int], int], seconds: float) -> float:
    """Units per second of processor time in the best turn, which neighbours disturbed least.

    The first turn warms up and is not counted; `seconds` is processor time.
    """
    work(0)
    best, turn, begun = 0.0, 1, time.process_time()
    while time.process_time() - begun < seconds:
        started = time.process_time()
        done = work(turn)
        best = max(best, done / (time.process_time() - started))
        turn += 1
    return best


def in_turns(items: Sequence[str], size: int) -> Callable[[int], Sequence[str]]:
    """The next `size` items; each turn gets different ones."""
    return lambda turn: [items[(turn * size + n) % len(items)] for n in range(size)]


def throughput(seconds: float, precision: WantedPrecision) -> list[tuple[str, float]]:
    options = PredictorOptions(threads=1, precision=precision)
    encoder = open_encoder(ROOT / "models/literature-encoder", options)
    ranker = open_ranker(ROOT / "models/literature-ranker", options)
    titles = [each["title"] for each in samples("literature_titles.jsonl", 8000)]
    papers = samples("literature_papers.jsonl", 1000)
    template = encoder.manifest.document_text
    abstracts = [template(each["title"], each["text"]) for each in papers]
    few, many = in_turns(abstracts, 64), in_turns(titles, 256)
    short = in_turns(titles, 100)

    def one_by_one(turn: int) -> int:
        return sum(len(encoder.encode_queries([title])) for title in short(turn))

    print(f"encoder {encoder.precision}, ranker {ranker.precision}")
    return [
        ("titles encoded", rate(lambda turn: len(encoder.encode(many(turn))), seconds)),
        ("abstracts encoded", rate(lambda turn: len(encoder.encode(few(turn))), seconds)),
        ("queries encoded one by one", rate(one_by_one, seconds)),
        (
            "pairs with a title ranked, 100 at once",
            rate(lambda turn: len(ranker.score(titles[turn % 8000], short(turn))), seconds),
        ),
        (
            "pairs with an abstract ranked, 64 at once",
            rate(lambda turn: len(ranker.score(titles[turn % 8000], few(turn))), seconds),
        ),
    ]


def bytes_of_a_document(name: str) -> dict[str, float]:
    """Means over a file's documents: bytes of text, bytes of words, and the number of distinct
    words, which are the entries of a sparse vector."""
    analyzer = WordAnalyzer()
    documents = samples(name, 1000)
    texts = [f"{each['title']}\n{each.get('text', '')}" for each in documents]
    words = [analyzer.document_words(text) for text in texts]
    count = len(documents)
    return {
        "text, bytes": sum(len(text.encode()) for text in texts) / count,
        "words, bytes": sum(len(" ".join(each).encode()) for each in words) / count,
        "distinct words": sum(len(set(each)) for each in words) / count,
    }


def index_bytes(dimension: int) -> dict[str, float]:
    """Bytes per vector for each kind of index, computed from its layout."""
    raw = 4.0 * dimension
    # hnswlib: 2M links of 4 bytes on the ground level, M on each level above, which one vector
    # in M reaches, then one in M squared; a counter of 4 bytes and a label of 8.
    links = 4.0 * (2 * _HNSW_M + _HNSW_M / (_HNSW_M - 1)) + 12
    node = raw + 4 * (1 + _GRAPH_DEGREE)
    return {
        "float32 (FLAT)": raw,
        "float16": raw / 2,
        "IVF_SQ8": raw / 4 + 8,
        f"IVF_PQ, {_PQ_PARTS} parts": _PQ_PARTS + 8.0,
        "HNSW, M 16": raw + links,
        "HNSW_SQ, SQ8": raw / 4 + links,
        "DISKANN, memory": raw / 8,
        "DISKANN, disk": _SECTOR / (_SECTOR // node),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument(
        "--precision", choices=get_args(WantedPrecision), default="auto", help="of both models"
    )
    parser.add_argument("--dimension", type=int, default=384)
    chosen = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    measured = throughput(chosen.seconds, chosen.precision)
    print("\n| work | a second of one core |\n|---|---|")
    for name, value in measured:
        print(f"| {name} | {value:,.0f} |")
    for name in ("literature_titles.jsonl", "literature_papers.jsonl"):
        print(
            f"\n{name}: " + ", ".join(f"{k} {v:.0f}" for k, v in bytes_of_a_document(name).items())
        )
    print(f"\n| index, dimension {chosen.dimension} | GB a million |\n|---|---|")
    for name, value in index_bytes(chosen.dimension).items():
        print(f"| {name} | {value / 1000:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
