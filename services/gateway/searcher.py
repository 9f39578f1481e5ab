"""A search as the API offers it: version of the index, cascade, and the answer's JSON."""

import time
import unicodedata
from dataclasses import dataclass
from typing import Any

import orjson

from services.common.errors import DeadlineExceeded, InvalidRequest, Unavailable
from services.common.request_context import Deadline, request_id_var
from services.gateway.domain import Answer, Cascade, Search
from services.gateway.metrics import SearchMetrics
from services.gateway.schemas import SearchOptions
from services.gateway.versions import RedisVersions


def normalise(query: str) -> str:
    """Compatibility forms folded (NFKC), runs of white space to one space.

    The result is what is searched, so equal normal forms have equal answers.
    """
    folded = " ".join(unicodedata.normalize("NFKC", query).split())
    if not folded:
        raise InvalidRequest("query: it holds no character to search for")
    return folded


def search_of(query: str, options: SearchOptions) -> Search:
    return Search(
        query=normalise(query),
        collection=options.collection,
        top_k=options.top_k,
        recall_k=options.recall_k,
        mode=options.mode,
        filter=options.filter or None,
        rank=options.rank,
        diversity=options.diversity,
        explain=options.explain,
        fields=None if options.fields is None else sorted(set(options.fields)),
    )


@dataclass(slots=True)
class Searcher:
    cascade: Cascade
    versions: RedisVersions
    metrics: SearchMetrics

    async def answer(self, search: Search, deadline: Deadline) -> bytes:
        """The JSON of a SearchAnswer. Raises what the cascade raises."""
        started = time.perf_counter()
        version = await self._version(search.collection)
        answer = await self.cascade.run(search, deadline)
        self.metrics.answered(answer.stages, answer.degraded)
        return _json(search, answer, version, time.perf_counter() - started)

    async def _version(self, collection: str) -> str | None:
        try:
            return await self.versions.current(collection)
        except Unavailable:
            return None


def _json(search: Search, answer: Answer, version: str | None, seconds: float) -> bytes:
    body: dict[str, Any] = {
        "query": search.query,
        "hits": answer.hits,
        "stages": answer.stages,
        "degraded": answer.degraded,
        "index_version": version,
        "took_ms": round(seconds * 1000, 2),
        "cached": False,
        "request_id": request_id_var.get(),
    }
    return orjson.dumps(body)


def late(budget_ms: int) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"The search did not end within {budget_ms} ms;"
        " give it more `budget_ms` or a smaller `recall_k`."
    )
