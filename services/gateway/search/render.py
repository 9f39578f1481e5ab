"""Writes answers as JSON, and is the only module that does: another format is another function
here.

The part of an answer that all callers share is written once, when it is computed, and kept as
bytes; the members that differ between callers are spliced in. So a cached answer costs no pass over
its documents.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.common.errors import SearchError
from services.common.request_context import request_id_var
from services.gateway.search.answers import Answered, Ask
from services.gateway.search.query.search import Search


def content(
    search: Search,
    hits: Sequence[Mapping[str, Any]],
    stages: Sequence[Mapping[str, Any]],
    version: str | None,
    counts: Mapping[str, Any],
) -> bytes:
    """The members of a SearchAnswer that all callers share, as JSON without its closing brace.

    `counts` are `total`, `counted` and the further members of the answer that were asked for.
    """
    shared: dict[str, Any] = {
        "query": search.query,
        "hits": hits,
        "stages": stages,
        "index_version": version,
        **counts,
    }
    if search.wording is not None:
        shared["understood"] = {
            "query": search.query or None,
            "filter": search.filter,
            "phrases": search.wording.phrases,
            "exclude": search.wording.exclude,
        }
        if search.boosts:
            shared["understood"]["boosts"] = search.boosts
    return orjson.dumps(shared)[:-1]


def answer(ask: Ask, answered: Answered) -> bytes:
    """A SearchAnswer as JSON."""
    return b'%b,"degraded":%b,"took_ms":%.2f,"cached":%b,"request_id":"%b"}' % (
        answered.content,
        orjson.dumps(answered.degraded) if answered.degraded else b"[]",
        (time.perf_counter() - ask.started) * 1000,
        b"true" if answered.cached else b"false",
        request_id_var.get().encode(),
    )


def headers(answered: Answered) -> dict[str, str]:
    """The headers that say how the answer came about."""
    return {"X-Cache": answered.state.value, "Age": str(int(answered.age))}


def batch(items: Sequence[bytes | SearchError], started: float) -> bytes:
    """A BatchAnswer as JSON, from the SearchAnswers that `answer` writes, or errors in their
    places.

    `started` is a time of the performance counter.
    """
    answers: list[dict[str, Any]] = [
        {"answer": None, "error": {"code": item.code, "detail": item.detail}}
        if isinstance(item, SearchError)
        else {"answer": orjson.Fragment(item), "error": None}
        for item in items
    ]
    took_ms = round((time.perf_counter() - started) * 1000, 2)
    return orjson.dumps(
        {"answers": answers, "took_ms": took_ms, "request_id": request_id_var.get()}
    )
