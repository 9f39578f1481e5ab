"""The calls of the REST API as values, without input or output; both clients send them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from services.common.documents import Document
from services.common.wire.collections import (
    Collection,
    CollectionList,
    DocumentsDeleted,
    DocumentWritten,
)
from services.common.wire.jobs import Job, JobAccepted, JobPage
from xunwen.client.answers import (
    BatchAnswer,
    Embeddings,
    Readiness,
    Reranked,
    SearchAnswer,
    SearchOptions,
)

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One exchange: what to send and how to read the answer."""

    method: str
    path: str
    answer: type[T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice does the same as sending it once."""


class Nothing(BaseModel):
    """The answer of a call that answers nothing of interest."""


def _given(**values: Any) -> dict[str, Any]:
    """Only what the caller has set; the server knows its defaults."""
    return {key: value for key, value in values.items() if value is not None}


def _collection(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def _document(collection: str, document_id: str) -> str:
    return f"{_collection(collection)}/documents/{quote(document_id, safe='')}"


def _job(job_id: str) -> str:
    return f"/v1/index-jobs/{quote(job_id, safe='')}"


def search(query: str, options: SearchOptions) -> Call[SearchAnswer]:
    return Call("POST", "/v1/search", SearchAnswer, json={"query": query, **options})


def search_batch(queries: Sequence[str], options: SearchOptions) -> Call[BatchAnswer]:
    return Call("POST", "/v1/search:batch", BatchAnswer, json={"queries": list(queries), **options})


def readiness() -> Call[Readiness]:
    return Call("GET", "/readyz", Readiness)


def embed(texts: Sequence[str]) -> Call[Embeddings]:
    return Call("POST", "/v1/embeddings", Embeddings, json={"input": list(texts)})


def rerank(query: str, documents: Sequence[str], top_n: int | None) -> Call[Reranked]:
    body = _given(query=query, documents=list(documents), top_n=top_n)
    return Call("POST", "/v1/rerank", Reranked, json=body)


def collections() -> Call[CollectionList]:
    return Call("GET", "/v1/collections", CollectionList)


def collection(name: str) -> Call[Collection]:
    return Call("GET", _collection(name), Collection)


def create_collection(name: str) -> Call[Collection]:
    return Call("POST", "/v1/collections", Collection, json={"name": name}, repeatable=False)


def delete_collection(name: str) -> Call[Nothing]:
    return Call("DELETE", _collection(name), Nothing, repeatable=False)


def rebuild(name: str) -> Call[JobAccepted]:
    return Call("POST", f"{_collection(name)}:rebuild", JobAccepted, repeatable=False)


def rollback(name: str) -> Call[Collection]:
    return Call("POST", f"{_collection(name)}:rollback", Collection, repeatable=False)


def put(document: Document, collection: str) -> Call[DocumentWritten]:
    body = document.model_dump(exclude={"id"})
    return Call("PUT", _document(collection, document.id), DocumentWritten, json=body)


def get(document_id: str, collection: str) -> Call[Document]:
    return Call("GET", _document(collection, document_id), Document)


def delete(document_id: str, collection: str) -> Call[DocumentsDeleted]:
    return Call("DELETE", _document(collection, document_id), DocumentsDeleted)


def delete_documents(
    collection: str, ids: Sequence[str] | None, filter: Mapping[str, Any] | None
) -> Call[DocumentsDeleted]:
    body = _given(ids=None if ids is None else list(ids), filter=filter)
    return Call("POST", f"{_collection(collection)}/documents:delete", DocumentsDeleted, json=body)


def job(job_id: str) -> Call[Job]:
    return Call("GET", _job(job_id), Job)


def jobs(after: str | None, **filters: Any) -> Call[JobPage]:
    return Call("GET", "/v1/index-jobs", JobPage, params=_given(after=after, **filters))


def cancel(job_id: str) -> Call[Job]:
    return Call("POST", f"{_job(job_id)}:cancel", Job)


def retry(job_id: str) -> Call[Job]:
    return Call("POST", f"{_job(job_id)}:retry", Job, repeatable=False)


def errors_path(job_id: str) -> str:
    return f"{_job(job_id)}/errors"


def events_path(job_id: str) -> str:
    return f"{_job(job_id)}/events"
