"""Writes the graded judgements of the recipe `natural-ranker-apart`.

They are web pages as people graded them, answers of the literature and of an encyclopaedia, and
documents drawn at random, which answer nothing.

    python examples/ranker_grades.py data data/grades_apart.tsv

docs/training.md says where the files of the folder come from. With one seed and the same files the
output is the same.
"""

import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

SEED = 2811
Row = tuple[str, str, int]
"""A query, a document on one line, and its grade: 0, 1 or 2."""


def main(folder: Path, output: Path) -> None:
    rng = random.Random(SEED)
    titles = documents(folder / "literature_titles.jsonl")
    abstracts = documents(folder / "literature_abstracts.jsonl")
    passages = documents(folder / "people_passages.jsonl")
    natural = [
        row
        for name in ("train", "voices", "titles", "more", "further")
        for row in table(folder / f"natural_{name}.tsv")
    ]
    people = table(folder / "people_train.tsv")
    web = table(folder / "relevance_web.tsv")

    any_title, any_abstract, any_passage, any_page = (
        drawing(rng, texts)
        for texts in (
            [*titles.values()],
            [*abstracts.values()],
            [*passages.values()],
            [page for _, page, _ in web],
        )
    )

    rows: list[Row] = [(query, page, int(grade)) for query, page, grade in rng.sample(web, 11_000)]
    rows += [(query, any_page(), 0) for query, *_ in rng.sample(web, 2_000)]
    rows += [(query, any_title(), 0) for query, *_ in rng.sample(web, 1_000)]
    for query, title in rng.sample(answered(natural, titles), 1_000):
        rows += [(query, title, 2), (query, any_title(), 0), (query, any_page(), 0)]
    for at, (query, abstract) in enumerate(rng.sample(answered(natural, abstracts), 700)):
        rows += [(query, abstract, 2), (query, any_abstract() if at % 3 else any_passage(), 0)]
    for query, passage in rng.sample(answered(people, passages), 300):
        rows += [(query, passage, 2), (query, any_passage(), 0)]
    for words, abstract in keywords(folder / "literature_abstracts.jsonl", abstracts):
        query = " ".join(rng.sample(words, min(len(words), rng.choice((1, 1, 2, 3)))))
        rows.append((query, any_title(), 0))
        if rng.random() < 0.4:
            rows.append((query, abstract, 2))
        if rng.random() < 0.3:
            rows.append((query, any_abstract(), 0))
    rng.shuffle(rows)
    lines = (f"{query}\t{document}\t{grade}\n" for query, document, grade in rows)
    output.write_text("".join(lines), encoding="utf-8")


def drawing(rng: random.Random, texts: Sequence[str]) -> Callable[[], str]:
    """A function that gives one of the texts at random."""
    return lambda: rng.choice(texts)


def rows_of(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def documents(path: Path) -> dict[str, str]:
    """The text of each document on one line, by id."""
    return {
        str(row["id"]): " ".join(
            f"{row.get('title', '')} {row.get('text') or row.get('abstract') or ''}".split()
        )
        for row in rows_of(path)
    }


def table(path: Path) -> list[list[str]]:
    """Lines of three cells."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def answered(queries: Iterable[Sequence[str]], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The queries whose answer is one of the documents, with its text."""
    return [(query, texts[key]) for _, query, key in queries if key in texts]


def keywords(path: Path, texts: Mapping[str, str]) -> Iterator[tuple[list[str], str]]:
    """The keywords of each document that has some, with its text."""
    for row in rows_of(path):
        words = row.get("keywords")
        if isinstance(words, list) and words:
            yield words, texts[str(row["id"])]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
