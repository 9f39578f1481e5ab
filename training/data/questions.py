"""Passages of an encyclopaedia, and the questions that people wrote for them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.text.passages import passages
from training.failures import DataInvalid


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a paragraph, and the questions whose answers lie in it as a whole."""

    id: str
    """`passage-00012-3`: the fourth passage of the thirteenth paragraph."""
    text: str
    questions: tuple[str, ...]


@contextmanager
def squad_articles(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The articles of a file in the form of SQuAD 1.1. Raises DataInvalid where the block, too,
    finds that a member is not there or is of another kind."""
    try:
        yield json.loads(path.read_text("utf-8"))["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{path} is not in the form of SQuAD 1.1; fetch it anew") from error


def read_passages(paths: list[Path]) -> Iterator[Passage]:
    """Each passage of files in the form of SQuAD 1.1, as CMRC 2018 has it. A question whose answer
    two passages share is left out. Raises DataInvalid."""
    for number, paragraph in enumerate(_paragraphs(paths)):
        text = paragraph["context"]
        asked = [
            (" ".join(item["question"].split()), *_place(item["answers"][0]))
            for item in paragraph["qas"]
        ]
        for place, span in enumerate(passages(text)):
            yield Passage(
                f"passage-{number:05d}-{place}",
                text[span.start : span.end].strip(),
                tuple(
                    question
                    for question, start, end in asked
                    if span.start <= start and end <= span.end
                ),
            )


def passage_lines(paths: list[Path]) -> Iterator[str]:
    """A JSON line for each passage: `id` and `text`."""
    for passage in read_passages(paths):
        yield json.dumps({"id": passage.id, "text": passage.text}, ensure_ascii=False)


def question_lines(paths: list[Path]) -> Iterator[str]:
    """`people<TAB>question<TAB>id of its passage` for each question."""
    for passage in read_passages(paths):
        for question in passage.questions:
            yield f"people\t{question}\t{passage.id}"


def _paragraphs(paths: list[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with squad_articles(path) as articles:
            paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        yield from paragraphs


def _place(answer: dict[str, Any]) -> tuple[int, int]:
    start = int(answer["answer_start"])
    return start, start + len(answer["text"])
