"""A LangChain retriever over a collection: the whole cascade, where a vector store has one leg.

Needs the extra `langchain`.
"""

from collections.abc import Mapping
from typing import Any, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field, SecretStr, model_validator

from xunwen.client import AsyncClient, Client, Hit
from xunwen.client.exchange import DEFAULT_URL
from xunwen.integrations.places import place_of


class XunwenRetriever(BaseRetriever):
    """Searches a collection and returns documents: the text (the title if there is none) as
    content, all other members as metadata, with `page` and `section` of the text of a long
    document.

    `invoke` and its relatives take `k` and options of the search, such as `filter`, which take the
    place of those of the retriever for this call. They raise ApiError and ConnectionFailed, as the
    client does, and ValueError for both `k` and `top_k`.
    """

    # LangChain's default is to leave an unknown argument out, such as the collection to search.
    model_config = ConfigDict(extra="forbid")

    url: str = DEFAULT_URL
    api_key: SecretStr | None = None
    timeout: float = 30.0
    """Seconds to wait for an answer."""
    k: int | None = Field(default=None, ge=1)
    """Number of documents, by the name that LangChain's retrievers have for `top_k`; None for what
    `options` say."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of a search: collection, top_k, filter, mode, rank, budget_ms."""

    @model_validator(mode="after")
    def _has_one_number(self) -> Self:
        _with_k(self.options, self.k)
        return self

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        with Client(self.url, **self._connection()) as client:
            answer = client.search(query, **self._options(options))
        return [_document(hit) for hit in answer.hits]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        async with AsyncClient(self.url, **self._connection()) as client:
            answer = await client.search(query, **self._options(options))
        return [_document(hit) for hit in answer.hits]

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        k = given.pop("k", None)
        return {**_with_k(self.options, self.k), **_with_k(given, k)}

    def _connection(self) -> dict[str, Any]:
        key = self.api_key.get_secret_value() if self.api_key else None
        return {"api_key": key, "timeout": self.timeout}


def _with_k(options: Mapping[str, Any], k: int | None) -> dict[str, Any]:
    """The options with `k`, if it is one, as their `top_k`. Raises ValueError if both are given."""
    if k is None:
        return {**options}
    if "top_k" in options:
        raise ValueError("`k` and `top_k` are two names of one number; give one of them.")
    return {**options, "top_k": k}


def _document(hit: Hit) -> Document:
    own = {"id": hit.id, "title": hit.title or "", "score": hit.score}
    metadata = {**hit.fields, **place_of(hit), **own}
    return Document(id=hit.id, page_content=hit.text or hit.title or "", metadata=metadata)
