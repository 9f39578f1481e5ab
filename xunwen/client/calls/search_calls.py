"""Calls that search, compare and cite."""

from collections.abc import Mapping, Sequence
from typing import Any

from xunwen.client.answers import (
    BatchAnswer,
    Embeddings,
    InputType,
    Readiness,
    Reranked,
    SearchAnswer,
    SearchOptions,
    SimilarAnswer,
    Suggestions,
)
from xunwen.client.calls.call import Call, Text, collection_path, given, listed


def search(query: str | None, options: SearchOptions) -> Call[SearchAnswer]:
    """A search; without a query, a list of the documents that the filter selects."""
    return Call("POST", "/v1/search", SearchAnswer, json={**given(query=query), **options})


def search_batch(queries: Sequence[str], options: SearchOptions) -> Call[BatchAnswer]:
    """Several searches in one call."""
    return Call(
        "POST",
        "/v1/search:batch",
        BatchAnswer,
        json={"queries": listed(queries, "queries"), **options},
    )


def similar(
    document_id: str,
    collection: str,
    top_k: int | None,
    filter: Mapping[str, Any] | None,
    fields: Sequence[str] | None,
    partition: str | None,
) -> Call[SimilarAnswer]:
    """The documents nearest to a stored one."""
    body = given(
        id=document_id,
        collection=collection,
        top_k=top_k,
        filter=filter,
        fields=None if fields is None else listed(fields, "fields"),
        partition=partition,
    )
    return Call("POST", "/v1/similar", SimilarAnswer, json=body)


def cite(ids: Sequence[str], collection: str, form: str) -> Call[Text]:
    """Documents as citations."""
    body = {"ids": listed(ids, "ids"), "collection": collection, "form": form}
    return Call("POST", "/v1/citations", Text, json=body)


def cite_search(query: str | None, form: str, options: SearchOptions) -> Call[Text]:
    """The hits of a search as citations."""
    return Call(
        "POST", "/v1/search:cite", Text, json={**given(query=query), "form": form, **options}
    )


def embed(texts: Sequence[str], input_type: InputType | None) -> Call[Embeddings]:
    """Vectors of texts."""
    body = given(input=listed(texts, "texts"), input_type=input_type)
    return Call("POST", "/v1/embeddings", Embeddings, json=body)


def rerank(query: str, documents: Sequence[str], top_n: int | None) -> Call[Reranked]:
    """The relevance of documents to a query."""
    body = given(query=query, documents=listed(documents, "documents"), top_n=top_n)
    return Call("POST", "/v1/rerank", Reranked, json=body)


def readiness() -> Call[Readiness]:
    """Whether the gateway is ready, and the state of the parts that it needs."""
    return Call("GET", "/readyz", Readiness)


def suggest(typed: str, collection: str, limit: int | None) -> Call[Suggestions]:
    """Continuations of a query that is being typed."""
    path = f"{collection_path(collection)}/suggestions"
    return Call("GET", path, Suggestions, params=given(q=typed, limit=limit))
