"""Recall and rank over HTTP. A thousand candidates pass through without becoming models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.common.errors import Unavailable
from services.common.request_context import DEADLINE_HEADER, Deadline
from services.common.service_client import ServiceClient
from services.common.wire.rank import RankResponse
from services.gateway.domain import Candidate, Recalled, Search

_WAY_SHARE = 0.04
"""Of rank's time, for the way of its answer."""


@dataclass(slots=True)
class RecallService:
    client: ServiceClient

    async def recall(self, search: Search, deadline: Deadline) -> Recalled:
        body: dict[str, Any] = {
            "query": search.query,
            "collection": search.collection,
            "top_n": max(search.recall_k, search.top_k),
            "mode": search.mode,
            "filter": search.filter,
        }
        response = await self.client.send(
            "POST", "/search", content=orjson.dumps(body), deadline=deadline
        )
        try:
            read = orjson.loads(response.content)
            return Recalled(
                candidates=read["candidates"],
                index=read["index"],
                encoder=read["encoder"],
                terms=read["terms"],
                stages=read["stages"],
                degraded=read["degraded"],
            )
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable("The recall service gave an answer that cannot be read.") from error


@dataclass(slots=True)
class RankService:
    client: ServiceClient

    async def rank(
        self, search: Search, candidates: Sequence[Candidate], deadline: Deadline
    ) -> RankResponse:
        body: dict[str, Any] = {
            "query": search.query,
            "candidates": candidates,
            "top_k": search.top_k,
            "diversity": search.diversity,
            "explain": search.explain,
        }
        # It is told an earlier end than we wait for, so that what it has by then still arrives.
        told = Deadline.after(deadline.remaining() * (1 - _WAY_SHARE))
        response = await self.client.send(
            "POST",
            "/rank",
            content=orjson.dumps(body),
            headers={DEADLINE_HEADER: told.header()},
            deadline=deadline,
        )
        try:
            return RankResponse.model_validate_json(response.content)
        except ValueError as error:
            raise Unavailable("The rank service gave an answer that cannot be read.") from error
