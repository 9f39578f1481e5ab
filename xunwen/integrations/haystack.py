"""A Haystack retriever over a collection: the whole cascade in one component.

Needs the extra `haystack`.
"""

from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret, deserialize_secrets_inplace

from xunwen.client import AsyncClient, Client, SearchAnswer, SearchOptions
from xunwen.client.exchange import DEFAULT_URL
from xunwen.integrations.haystack_filters import filter_of
from xunwen.integrations.places import place_of


@component
class XunwenRetriever:
    """Searches a collection and returns documents: the text (the title if there is none) as
    content, all other members in `meta`, with `page` and `section` of the text of a long
    document."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: Secret | None = None,
        timeout: float = 30.0,
        options: SearchOptions | None = None,
    ) -> None:
        """`timeout` is in seconds; `options` are those of a search: collection, top_k, filter,
        ..."""
        self.url = url
        self.api_key = api_key
        self.timeout = timeout
        self.options = options or SearchOptions()

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The documents for a query, the best first.

        `filters`, in Haystack's form, and `top_k` take the place of those in `options` for this
        run. Raises XunwenError for a filter that is none, and ApiError and ConnectionFailed, as
        the client does.
        """
        options = self._options(filters, top_k)
        with Client(self.url, **self._connection()) as client:
            return _documents(client.search(query, **options))

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """As `run`, without a thread that waits for the answer."""
        options = self._options(filters, top_k)
        async with AsyncClient(self.url, **self._connection()) as client:
            return _documents(await client.search(query, **options))

    def to_dict(self) -> dict[str, Any]:
        """The component as Haystack saves it in a pipeline."""
        written: dict[str, Any] = default_to_dict(
            self,
            url=self.url,
            api_key=self.api_key.to_dict() if self.api_key else None,
            timeout=self.timeout,
            options=dict(self.options),
        )
        return written

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "XunwenRetriever":
        """The component of a saved pipeline."""
        deserialize_secrets_inplace(data["init_parameters"], keys=["api_key"])
        read: XunwenRetriever = default_from_dict(cls, data)
        return read

    def _options(self, filters: dict[str, Any] | None, top_k: int | None) -> SearchOptions:
        options: SearchOptions = {**self.options}
        if filters:
            options["filter"] = filter_of(filters)
        if top_k is not None:
            options["top_k"] = top_k
        return options

    def _connection(self) -> dict[str, Any]:
        key = self.api_key.resolve_value() if self.api_key else None
        return {"api_key": key, "timeout": self.timeout}


def _documents(answer: SearchAnswer) -> dict[str, list[Document]]:
    documents = []
    for hit in answer.hits:
        meta = {**hit.fields, **place_of(hit), "title": hit.title or ""}
        content = hit.text or hit.title or ""
        documents.append(Document(id=hit.id, content=content, meta=meta, score=hit.score))
    return {"documents": documents}
