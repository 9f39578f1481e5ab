"""Recall over HTTP. Candidates pass through without becoming pydantic models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.common.calls.client import ServiceClient
from services.common.errors import Unavailable
from services.common.request_context import Deadline
from services.common.wire.rank import considered
from services.common.wire.recall import SimilarRequest
from services.common.wire.suggest import Suggested, SuggestRequest
from services.gateway.search.cascade.hits import DocumentMembers, Fetched, RecallAnswer
from services.gateway.search.cascade.rules import RulesMembers
from services.gateway.search.cascade.transfer import answer_by
from services.gateway.search.query.request import Arrangement, Search


@dataclass(slots=True)
class RecallService:
    """The recall service as a source of candidates."""

    client: ServiceClient

    async def recall(
        self,
        search: Search,
        deadline: Deadline,
        *,
        texts: bool,
        version: str | None,
        rules: RulesMembers | None,
    ) -> RecallAnswer:
        """With `texts` the candidates that rank considers, else the hits and their documents.

        Raises Unavailable, DeadlineExceeded, or what is wrong with the search.
        """
        arrangement = search.arrangement or Arrangement()
        body: dict[str, Any] = {
            "query": search.query,
            "collection": search.collection,
            "top_n": max(search.recall_k, search.top_k),
            "best": considered(search.top_k) if texts else search.top_k,
            "mode": search.mode,
            "filter": search.filter,
            "texts": texts,
            "documents": not texts and not arrangement.orders,
            "every": arrangement.orders,
            "version": version,
            "rules": rules,
        }
        if search.wording is not None:
            body |= {"phrases": search.wording.phrases, "exclude": search.wording.exclude}
        if search.boosts:
            body["boosts"] = search.boosts
        if search.partition is not None:
            body["partition"] = search.partition
        if not arrangement.orders and arrangement.facets:
            body["facets"] = arrangement.facets
        response = await self.client.send(
            "POST",
            "/search",
            content=orjson.dumps(body),
            headers=answer_by(deadline),
            deadline=deadline.at_last(),
        )
        try:
            answer = orjson.loads(response.content)
            return RecallAnswer(
                candidates=answer["candidates"],
                index=answer["index"],
                terms=answer["terms"],
                stages=answer["stages"],
                degraded=answer["degraded"],
                found=answer["found"],
                documents=answer["documents"],
                pinned=answer.get("pinned") or (),
                every=answer.get("every") or (),
                passages=answer.get("passages") or {},
                shown=answer.get("shown") or {},
                boosted=answer.get("boosted") or {},
                counted=answer.get("counted"),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable("The recall service gave an answer that cannot be read.") from error

    async def documents(
        self,
        index: str,
        ids: Sequence[str],
        deadline: Deadline,
        *,
        version: str | None,
        versions: Mapping[str, int],
        passages: Mapping[str, Sequence[int]],
    ) -> Fetched:
        """The stored documents with these ids, and passages of those that are long.

        Raises CollectionNotFound, Unavailable or DeadlineExceeded.
        """
        body: dict[str, Any] = {
            "index": index,
            "ids": ids,
            "version": version,
            "versions": versions,
        }
        if passages:
            body["passages"] = passages
        response = await self.client.send(
            "POST",
            "/documents",
            content=orjson.dumps(body),
            headers=answer_by(deadline),
            deadline=deadline,
        )
        try:
            answer = orjson.loads(response.content)
            return Fetched(answer["documents"], answer.get("shown") or {})
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable("The recall service gave documents that cannot be read.") from error

    async def similar(self, body: SimilarRequest, deadline: Deadline) -> list[DocumentMembers]:
        """The documents nearest to a stored one. Raises Unavailable, DeadlineExceeded, or what is
        wrong with the request."""
        response = await self.client.send(
            "POST",
            "/similar",
            content=body.model_dump_json(exclude_none=True).encode(),
            headers=answer_by(deadline),
            deadline=deadline,
        )
        try:
            documents: list[DocumentMembers] = orjson.loads(response.content)["documents"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable("The recall service gave documents that cannot be read.") from error
        return documents

    async def arrange(
        self,
        arrangement: Arrangement,
        index: str,
        rows: Sequence[tuple[str, int]],
        deadline: Deadline,
        *,
        version: str | None,
    ) -> Mapping[str, Any]:
        """The members of a wire Arranged.

        Raises InvalidRequest, Unavailable or DeadlineExceeded.
        """
        body = {**_asked(arrangement), "index": index, "rows": rows, "version": version}
        return await self._answer("/arrange", body, deadline)

    async def listed(
        self, search: Search, most: int, deadline: Deadline, *, version: str | None
    ) -> Mapping[str, Any]:
        """The members of a wire Listed: what the search's filter selects.

        Raises Unavailable, DeadlineExceeded, or what is wrong with the search.
        """
        body = {
            **_asked(search.arrangement or Arrangement()),
            "collection": search.collection,
            "filter": search.filter,
            "most": most,
            "version": version,
        }
        if search.partition is not None:
            body["partition"] = search.partition
        return await self._answer("/list", body, deadline)

    async def fields(self, collection: str, deadline: Deadline) -> list[str]:
        """The names of a collection's fields.

        Raises CollectionNotFound, Unavailable or DeadlineExceeded.
        """
        answer = await self._answer("/fields", {"collection": collection}, deadline)
        names: list[str] = answer["fields"]
        return names

    async def suggest(self, asked: SuggestRequest, deadline: Deadline) -> Suggested:
        """Completions of a query. Raises CollectionNotFound, Unavailable or DeadlineExceeded."""
        response = await self.client.send(
            "POST",
            "/suggest",
            content=asked.model_dump_json().encode(),
            headers=answer_by(deadline),
            deadline=deadline,
        )
        try:
            return Suggested.model_validate_json(response.content)
        except ValueError as error:
            raise Unavailable("The recall service gave suggestions that cannot be read.") from error

    async def _answer(
        self, path: str, body: Mapping[str, Any], deadline: Deadline
    ) -> Mapping[str, Any]:
        response = await self.client.send(
            "POST",
            path,
            content=orjson.dumps(body),
            headers=answer_by(deadline),
            deadline=deadline,
        )
        try:
            members: dict[str, Any] = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            raise Unavailable("The recall service gave counts that cannot be read.") from error
        return members


def _asked(arrangement: Arrangement) -> dict[str, Any]:
    """The members of wire ArrangeOptions."""
    return {
        "facets": arrangement.facets,
        "sort": arrangement.sort,
        "group_by": arrangement.group_by,
    }
