"""Texts of given lengths in tokens, cut from the sample literature."""

import json
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

DATA = Path(__file__).parents[1] / "data"


def papers() -> list[dict[str, str]]:
    with (DATA / "literature_papers.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def texts(tokenizer: Tokenizer, tokens: int, count: int) -> list[str]:
    """`count` different texts of about `tokens` tokens, special ones included."""
    running = "".join(paper["text"] for paper in islice(papers(), 400))
    offsets = tokenizer.encode(running, add_special_tokens=False).offsets
    step = tokens - 2
    return [
        running[offsets[at][0] : offsets[at + step - 1][1]]
        for at in range(0, min(count * step, len(offsets) - step), step)
    ]
