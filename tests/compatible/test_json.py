"""What the renderers write has the form that the API's description promises."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from services.common.wire.encode import EncodeResponse
from services.gateway.compatible import openai_json, rerank_json

MATRIX = np.array([[0.6, 0.8], [1.0, 0.0]], dtype="<f4")


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_vectors_of_texts(encoding: str | None) -> None:
    encoded = EncodeResponse(
        dimension=2, vectors=base64.b64encode(MATRIX.tobytes()).decode(), tokens=7, encoder="e"
    )
    content = openai_json.embeddings(openai_json.vectors(encoded, encoding), 7, "e")
    answer = openai_json.EmbeddingsAnswer.model_validate_json(content)
    assert answer.model_dump() == json.loads(content)
    for row, item in zip(MATRIX, answer.data, strict=True):
        if encoding == "base64":
            assert base64.b64decode(str(item.embedding)) == row.tobytes()
        else:
            assert item.embedding == pytest.approx(row)


def test_a_reranking_with_and_without_its_documents() -> None:
    best = [(1, 0.9), (0, 0.25)]
    given: list[rerank_json.Given] = ["甲", {"text": "乙", "no": 3}]
    for documents, expected in ((None, [None, None]), (given, [given[1], {"text": "甲"}])):
        content = rerank_json.reranked(best, documents, 5, "r")
        answer = rerank_json.RerankAnswer.model_validate_json(content)
        assert answer.model_dump(exclude_none=True) == json.loads(content)
        assert [(each.index, each.relevance_score) for each in answer.results] == best
        told = [each.document for each in answer.results]
        assert [each if each is None else dict(each) for each in told] == expected


def test_documents_come_back_whatever_json_they_hold() -> None:
    deep: Any = 7
    for _ in range(500):
        deep = [deep]
    document = {"text": "甲", "large": 10**30, "deep": deep, "sign": "\u2028"}
    content = rerank_json.reranked([(0, 0.5)], [document], 5, "r")
    assert json.loads(content)["results"][0]["document"] == document
