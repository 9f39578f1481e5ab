"""A LangChain retriever over a collection: the whole cascade, where a vector store has one leg.

Needs the extra `langchain`.
"""

from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field, SecretStr

from xunwen.client import AsyncClient, Client, Hit
from xunwen.client.exchange import DEFAULT_URL
from xunwen.integrations.places import place_of


class XunwenRetriever(BaseRetriever):
    """Searches a collection and returns documents: the text (the title if there is none) as
    content, all other members as metadata, with `page` and `section` of the text of a long
    document.

    `invoke` and its relatives take options of the search, such as `top_k` and `filter`, which take
    the place of those in `options` for this call. Raises ApiError and ConnectionFailed, as the
    client does.
    """

    # LangChain's default is to leave an unknown argument out, such as the collection to search.
    model_config = ConfigDict(extra="forbid")

    url: str = DEFAULT_URL
    api_key: SecretStr | None = None
    timeout: float = 30.0
    """Seconds to wait for an answer."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of a search: collection, top_k, filter, mode, rank, budget_ms."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        with Client(self.url, **self._connection()) as client:
            answer = client.search(query, **{**self.options, **options})
        return [_document(hit) for hit in answer.hits]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        async with AsyncClient(self.url, **self._connection()) as client:
            answer = await client.search(query, **{**self.options, **options})
        return [_document(hit) for hit in answer.hits]

    def _connection(self) -> dict[str, Any]:
        key = self.api_key.get_secret_value() if self.api_key else None
        return {"api_key": key, "timeout": self.timeout}


def _document(hit: Hit) -> Document:
    own = {"id": hit.id, "title": hit.title or "", "score": hit.score}
    metadata = {**hit.fields, **place_of(hit), **own}
    return Document(id=hit.id, page_content=hit.text or hit.title or "", metadata=metadata)
