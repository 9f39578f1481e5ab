"""Recall over HTTP. Candidates pass through without becoming pydantic models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.common.calls.client import ServiceClient
from services.common.request_context import Deadline
from services.common.wire.rank import considered
from services.common.wire.recall import SimilarRequest
from services.common.wire.suggest import Suggested, SuggestRequest
from services.gateway.search.cascade.hits import DocumentMembers, Fetched, RecallAnswer
from services.gateway.search.cascade.rules import RulesMembers
from services.gateway.search.cascade.transfer import posted
from services.gateway.search.query.search import Arrangement, Search

_COUNTED = ("facets", "groups", "distinct_groups")
"""The members that answers to counts, orders and lists share."""


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
        return await posted(
            self.client,
            "/search",
            orjson.dumps(body),
            deadline,
            _recalled,
            wait_until=deadline.at_last(),
        )

    async def documents(
        self,
        collection: str,
        index: str | None,
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
            "collection": collection,
            "index": index,
            "ids": ids,
            "version": version,
            "versions": versions,
        }
        if passages:
            body["passages"] = passages
        return await posted(self.client, "/documents", orjson.dumps(body), deadline, _fetched)

    async def similar(self, body: SimilarRequest, deadline: Deadline) -> list[DocumentMembers]:
        """The documents nearest to a stored one. Raises Unavailable, DeadlineExceeded, or what is
        wrong with the request."""
        content = body.model_dump_json(exclude_none=True).encode()
        answer = await posted(self.client, "/similar", content, deadline, _members("documents"))
        documents: list[DocumentMembers] = answer["documents"]
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
        read = _members("total", "order", *_COUNTED)
        return await posted(self.client, "/arrange", orjson.dumps(body), deadline, read)

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
        read = _members("index", "total", "ids", *_COUNTED)
        return await posted(self.client, "/list", orjson.dumps(body), deadline, read)

    async def fields(self, collection: str, deadline: Deadline) -> list[str]:
        """The names of a collection's fields.

        Raises CollectionNotFound, Unavailable or DeadlineExceeded.
        """
        body = {"collection": collection}
        answer = await posted(
            self.client, "/fields", orjson.dumps(body), deadline, _members("fields")
        )
        names: list[str] = answer["fields"]
        return names

    async def suggest(self, asked: SuggestRequest, deadline: Deadline) -> Suggested:
        """Completions of a query. Raises CollectionNotFound, Unavailable or DeadlineExceeded."""
        content = asked.model_dump_json().encode()
        return await posted(
            self.client, "/suggest", content, deadline, Suggested.model_validate_json
        )


def _asked(arrangement: Arrangement) -> dict[str, Any]:
    """The members of wire ArrangeOptions."""
    return {
        "facets": arrangement.facets,
        "sort": arrangement.sort,
        "group_by": arrangement.group_by,
    }


def _recalled(content: bytes) -> RecallAnswer:
    """The answer to a search, without validation of its candidates."""
    answer = orjson.loads(content)
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


def _fetched(content: bytes) -> Fetched:
    """The answer to a call for documents."""
    answer = orjson.loads(content)
    return Fetched(answer["documents"], answer.get("shown") or {})


def _members(*names: str) -> Callable[[bytes], dict[str, Any]]:
    """Reads the members of these names, all of which an answer has."""

    def read(content: bytes) -> dict[str, Any]:
        answer = orjson.loads(content)
        return {name: answer[name] for name in names}

    return read
