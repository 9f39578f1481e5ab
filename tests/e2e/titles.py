"""Titles of papers as queries: each ought to find its own paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from xunwen import Client

_PER_CALL = 20
_PATIENT_MS = 30_000


def titles_found(client: Client, papers: Sequence[Mapping[str, Any]]) -> int:
    """How many are among the ten hits of their own title, without the fine phase."""
    found = 0
    for start in range(0, len(papers), _PER_CALL):
        batch = papers[start : start + _PER_CALL]
        titles = [paper["title"] for paper in batch]
        answers = client.search_batch(
            titles, rank=False, recall_k=100, fields=["title"], budget_ms=_PATIENT_MS
        )
        for paper, item in zip(batch, answers, strict=True):
            assert item.answer is not None, item.error
            assert len(item.answer.hits) == 10
            found += paper["id"] in [hit.id for hit in item.answer.hits]
    return found
