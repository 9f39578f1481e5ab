"""Makes training files of public data sets, from local copies of their repositories."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import durable
from training.data.questions import passage_lines, question_lines
from training.data.readers import read_lines, record
from training.failures import DataInvalid

Rows = Iterator[dict[str, Any]]

_HASHES = bytes.fromhex(
    "0a20d628 1d99d6d8 20937149 2694e986 2bfb6b5b 40796b7d 46a84295 46b21e59 46f00426 61e9a256"
    "682ca34d 700fdbf7 8981c731 8d1712c7 8d631e25 9f7698ba a0a83d0b adb3b108 afff94c5 bc3a4863"
    "cb54057e ed53ec7a f671c172"
)
_LEFT_OUT = {_HASHES[at : at + 4] for at in range(0, len(_HASHES), 4)}
"""Hashes of abstracts that were not in the file from which the shipped models were trained.

Without them the ids and the checksum are those of the model card.
"""


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A training file, with the repository and the files that it is made of."""

    name: str
    repository: str
    """Owner and name of the repository at GitHub."""
    inputs: tuple[str, ...]
    """Files of the repository, in the order in which they are read."""
    made: Callable[[list[Path]], Iterator[str]]
    """Gives the lines of the file from the paths of the inputs."""

    @property
    def folder(self) -> str:
        """The name of a clone's folder."""
        return self.repository.partition("/")[2]

    def write(self, clones: Path, target: Path) -> int:
        """Makes the file in the folder `target`; returns its number of lines. Raises
        DataInvalid."""
        paths = [clones / self.folder / name for name in self.inputs]
        for path in paths:
            if not path.is_file():
                raise DataInvalid(
                    f"{self.name} needs {path}: git clone https://github.com/{self.repository}"
                    f" {clones / self.folder}"
                )
        return durable.write_lines(target / self.name, self.made(paths))


def _abstracts(paths: list[Path]) -> Iterator[str]:
    """Each abstract of csl and csldcp once, with the members that any of its rows has."""
    known: dict[str, dict[str, Any]] = {}
    for row in _rows(paths):
        abstract = str(row.get("abst") or row.get("content") or "").strip()
        if not abstract:
            continue
        about = known.setdefault(abstract, {})
        # A row of csl names keywords, which are the paper's own where its label is 1.
        if row.get("label") == "1" and row.get("keyword"):
            about["keywords"] = row["keyword"]
        if row.get("label") and "content" in row:
            about["discipline"] = row["label"]
    kept = [item for item in known.items() if _hash(item[0]) not in _LEFT_OUT]
    for number, (abstract, about) in enumerate(kept):
        members = {"id": f"abs-{number:05d}", "abstract": abstract}
        members |= {name: about[name] for name in ("keywords", "discipline") if name in about}
        yield json.dumps(members, ensure_ascii=False)


def _columns(*names: str) -> Callable[[list[Path]], Iterator[str]]:
    def made(paths: list[Path]) -> Iterator[str]:
        for row in _rows(paths):
            cells = [" ".join(str(row.get(name, "")).split()) for name in names]
            if all(cells):
                yield "\t".join(cells)

    return made


def _rows(paths: list[Path]) -> Rows:
    parse = record()
    for path in paths:
        yield from read_lines(path, parse)[0]


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=4).digest()


_QUESTIONS = tuple(f"squad-style-data/cmrc2018_{part}.json" for part in ("trial", "dev"))
_PARTS = ("test", "test_public", "train_few_all", "dev_few_all")

FILES = (
    PublicFile(
        "literature_abstracts.jsonl",
        "CLUEbenchmark/FewCLUE",
        tuple(f"datasets/{name}/{part}.json" for name in ("csl", "csldcp") for part in _PARTS),
        _abstracts,
    ),
    PublicFile(
        "pairs_general.tsv",
        "CLUEbenchmark/SimCLUE",
        ("datasets/train_pair_postive_1w.json",),
        _columns("query", "title"),
    ),
    PublicFile(
        "pairwise_general.tsv",
        "CLUEbenchmark/SimCLUE",
        ("datasets/train_rank_1w.json",),
        _columns("query", "title", "neg_title"),
    ),
    PublicFile(
        "relevance_web.tsv",
        "CLUEbenchmark/QBQTC",
        ("dataset/dev.json",),
        _columns("query", "title", "label"),
    ),
    PublicFile("people_passages.jsonl", "ymcui/cmrc2018", _QUESTIONS, passage_lines),
    PublicFile("people_questions.tsv", "ymcui/cmrc2018", _QUESTIONS, question_lines),
)
"""All files that can be made."""
