"""The JSON of an answer: the part that all callers share, and the part that differs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from services.gateway.domain import Answer, Search


class CacheState(StrEnum):
    """How an answer came about; the value of X-Cache."""

    HIT = "HIT"
    STALE = "STALE"
    MISS = "MISS"
    BYPASS = "BYPASS"


@dataclass(frozen=True, slots=True)
class Served:
    """An answer for one caller."""

    body: bytes
    state: CacheState
    age: float
    """Seconds since it was computed."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [("X-Cache", self.state.value), ("Age", str(int(self.age)))]


def shared_part(search: Search, answer: Answer, version: str | None) -> bytes:
    """From the opening brace on, without a comma at its end."""
    body: dict[str, Any] = {
        "query": search.query,
        "hits": answer.hits,
        "stages": answer.stages,
        "index_version": version,
    }
    return orjson.dumps(body)[:-1]


def whole(
    shared: bytes, *, degraded: list[str], seconds: float, cached: bool, request_id: str
) -> bytes:
    """Spliced, not encoded again: a hit costs no pass over ten documents."""
    return b'%b,"degraded":%b,"took_ms":%.2f,"cached":%b,"request_id":"%b"}' % (
        shared,
        orjson.dumps(degraded) if degraded else b"[]",
        seconds * 1000,
        b"true" if cached else b"false",
        request_id.encode(),
    )
