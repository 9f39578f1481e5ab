"""Texts of the sample literature, whole or cut to a length in tokens."""

import json
from itertools import islice
from pathlib import Path

from tokenizers import Tokenizer

DATA = Path(__file__).parents[1] / "data"


def papers() -> list[dict[str, str]]:
    with (DATA / "literature_papers.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def literature() -> list[tuple[str, str]]:
    """Id and text of each document of the sample, title and text joined, as `make up` indexes
    it."""
    found = []
    for name in ("literature_papers", "literature_titles"):
        with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                paper = json.loads(line)
                text = paper.get("text", "")
                found.append((paper["id"], f"{paper['title']}\n{text}" if text else paper["title"]))
    return found


def documents(count: int) -> list[str]:
    """Whole texts: every other paper with its abstract, the others by their titles alone."""
    return [
        paper["title"] if at % 2 else f"{paper['title']}\n{paper['text']}"
        for at, paper in enumerate(islice(papers(), count))
    ]


def texts(tokenizer: Tokenizer, tokens: int, count: int) -> list[str]:
    """`count` different texts of exactly `tokens` tokens, special ones included."""
    running = "".join(paper["text"] for paper in islice(papers(), 400))
    offsets = tokenizer.encode(running, add_special_tokens=False).offsets
    found: list[str] = []
    start = 0
    while len(found) < count:
        # A text cut out of its sentence may have a token more or less than it had there.
        for end in range(start + tokens - 4, start + tokens):
            text = running[offsets[start][0] : offsets[end][1]]
            if len(tokenizer.encode(text)) == tokens:
                found.append(text)
                break
        start += tokens
    return found
