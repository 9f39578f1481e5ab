"""Writes the results of a benchmark: JSON, a Markdown table, and one line of a history."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
HISTORY = HERE / "history.jsonl"
_PACKAGES = (
    "paddlepaddle",
    "onnxruntime",
    "tokenizers",
    "numpy",
    "pymilvus",
    "milvus-lite",
    "fastapi",
)


def machine() -> dict[str, Any]:
    """The machine, its versions and its load while figures were taken; a high load makes them less
    certain."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def save(name: str, figures: dict[str, Any], markdown: str) -> None:
    """Overwrites the latest results, appends to the history, prints the table."""
    RESULTS.mkdir(exist_ok=True)
    record = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": figures,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    (RESULTS / f"{name}.md").write_text(markdown + "\n", "utf-8")
    with HISTORY.open("a", encoding="utf-8") as history:
        history.write(json.dumps(record) + "\n")
    print(f"\n{name}\n\n{markdown}\n")
