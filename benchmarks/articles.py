"""Reads whole articles with questions about them, in the form of SQuAD."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.documents import Document


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answers: list[str]
    document: str


@dataclass(frozen=True, slots=True)
class Articles:
    documents: list[Document]
    questions: list[Question]

    @classmethod
    def read(cls, paths: Sequence[Path], every: int) -> "Articles":
        """Articles of the same title are one document; of the questions each `every`-th counts."""
        bodies: dict[str, list[str]] = {}
        questions = []
        for path in paths:
            for article in json.loads(path.read_text("utf-8"))["data"]:
                for paragraph in article["paragraphs"]:
                    bodies.setdefault(article["title"], []).append(paragraph["context"])
                    for one in paragraph["qas"]:
                        answers = [each["text"] for each in one["answers"]]
                        questions.append(Question(one["question"], answers, article["title"]))
        documents = [
            Document(id=title, title=title, body="\n\n".join(body))
            for title, body in bodies.items()
        ]
        return cls(documents, questions[::every])
