"""The synchronous client."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel

from services.common.documents import Document
from services.common.wire.collections import Collection, DocumentsDeleted, DocumentWritten
from services.common.wire.jobs import InputFormat, Job, JobAccepted, JobMode
from xunwen.client import calls, exchange
from xunwen.client.answers import (
    BatchItem,
    Readiness,
    RejectedLine,
    RerankedDocument,
    SearchAnswer,
    SearchOptions,
)
from xunwen.client.errors import ApiError, ConnectionFailed
from xunwen.client.retries import Retries
from xunwen.client.uploads import Source, Upload, open_upload

T = TypeVar("T", bound=BaseModel)


class Client:
    """Talks to a gateway. Every method raises ApiError or ConnectionFailed."""

    def __init__(
        self,
        url: str = exchange.DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: Retries | None = None,
    ) -> None:
        """`timeout` in seconds, per attempt."""
        self._http = httpx.Client(**exchange.settings(url, api_key, timeout))
        self._retries = retries or Retries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # -- searching

    def search(self, query: str, **options: Unpack[SearchOptions]) -> SearchAnswer:
        return self._send(calls.search(query, options))

    def search_batch(
        self, queries: Sequence[str], **options: Unpack[SearchOptions]
    ) -> list[BatchItem]:
        """At most 100 queries in one call, answered in their order."""
        return self._send(calls.search_batch(queries, options)).answers

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, normalised to length 1."""
        data = self._send(calls.embed(texts)).data
        return [item.embedding for item in sorted(data, key=lambda item: item.index)]

    def rerank(
        self, query: str, documents: Sequence[str], *, top_n: int | None = None
    ) -> list[RerankedDocument]:
        """The documents by relevance to the query, best first."""
        return self._send(calls.rerank(query, documents, top_n)).results

    def readiness(self) -> Readiness:
        return self._send(calls.readiness())

    # -- documents and collections

    def put(self, document: Document, *, collection: str) -> DocumentWritten:
        """Writes one document; it can be found when this returns."""
        return self._send(calls.put(document, collection))

    def get(self, document_id: str, *, collection: str) -> Document:
        return self._send(calls.get(document_id, collection))

    def delete(self, document_id: str, *, collection: str) -> DocumentsDeleted:
        """`deleted` is 0 when it was not there."""
        return self._send(calls.delete(document_id, collection))

    def delete_documents(
        self,
        *,
        collection: str,
        ids: Sequence[str] | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> DocumentsDeleted:
        """Deletes by ids or by filter, exactly one of the two."""
        return self._send(calls.delete_documents(collection, ids, filter))

    def collections(self) -> list[Collection]:
        return self._send(calls.collections()).collections

    def collection(self, name: str) -> Collection:
        return self._send(calls.collection(name))

    def create_collection(self, name: str) -> Collection:
        return self._send(calls.create_collection(name))

    def delete_collection(self, name: str) -> None:
        self._send(calls.delete_collection(name))

    def rebuild(self, name: str) -> JobAccepted:
        """Starts to index a collection anew from its own documents; watch the job."""
        return self._send(calls.rebuild(name))

    def rollback(self, name: str) -> Collection:
        """Puts back the index that the last rebuild replaced."""
        return self._send(calls.rollback(name))

    # -- bulk jobs

    def index(
        self,
        source: Source,
        *,
        collection: str,
        mode: JobMode | str = JobMode.UPSERT,
        format: InputFormat | str | None = None,
        mapping: Mapping[str, Any] | None = None,
        max_errors: int | None = None,
        encoder: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submits a file, or documents, as a bulk job and returns it as accepted.

        A file's format is told by its name (.jsonl .csv .tsv .parquet .txt, also .gz) or by
        `format`. `mapping` names the columns, {"id": ..., "title": ..., "text": ...}; a job with
        more than `max_errors` rejected documents stops. A mapping with "vector" takes ready-made
        vectors, made by the encoder of the fingerprint `encoder`. Every submission carries an
        idempotency key, so that one sent again after a failure is still one job. Wait for its end
        with `wait`, or follow it with `watch`.
        """
        with open_upload(source, format) as upload:
            headers = upload.headers(idempotency_key)
            params = upload.params(collection, JobMode(mode), mapping, max_errors, encoder)
            call = calls.Call("POST", "/v1/index-jobs", JobAccepted, params, headers=headers)
            accepted = self._send(call, upload)
        return self.job(accepted.job_id)

    def job(self, job_id: str) -> Job:
        return self._send(calls.job(job_id))

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """All jobs, newest first, page by page."""
        after: str | None = None
        while True:
            page = self._send(calls.jobs(after, **filters))
            yield from page.jobs
            after = page.next
            if after is None:
                return

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job each time it has moved, ending with its final state.

        Goes on after a lost connection; raises when the gateway stays away.
        """
        last = self.job(job_id)
        yield last
        while not last.state.final:
            for job in self._events(job_id):
                if job != last:
                    yield job
                last = job
            if not last.state.final:
                time.sleep(exchange.PAUSE_SECONDS)
                last = self.job(job_id)
                yield last

    def wait(self, job_id: str) -> Job:
        """The job in its final state; look at its `state` and `counts`."""
        *_, last = self.watch(job_id)
        return last

    def cancel(self, job_id: str) -> Job:
        return self._send(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Runs again what failed of a finished job."""
        return self._send(calls.retry(job_id))

    def errors(self, job_id: str) -> Iterator[RejectedLine]:
        """The rejected lines of a job, streamed."""
        for line in self._lines(calls.errors_path(job_id)):
            yield RejectedLine.model_validate_json(line)

    def _events(self, job_id: str) -> Iterator[Job]:
        """Progress as the server sends it; ends early when the connection is lost."""
        try:
            for line in self._lines(calls.events_path(job_id)):
                if line.startswith("data:"):
                    yield Job.model_validate_json(line.removeprefix("data:"))
        except ConnectionFailed:
            return

    def _lines(self, path: str) -> Iterator[str]:
        try:
            with self._http.stream("GET", path) as response:
                if response.is_error:
                    response.read()
                    raise ApiError.of(response)
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise exchange.connection_failed(self._http.base_url, error) from error

    def _send(self, call: calls.Call[T], upload: Upload | None = None) -> T:
        attempt = 0
        while True:
            attempt += 1
            response, failure = self._attempt(call, upload)
            pause = self._retries.again(attempt, response) if call.repeatable else None
            if pause is not None:
                time.sleep(pause)
            elif response is not None:
                return exchange.read(call, response)
            elif failure is not None:
                raise exchange.connection_failed(self._http.base_url, failure) from failure

    def _attempt(
        self, call: calls.Call[Any], upload: Upload | None
    ) -> tuple[httpx.Response | None, httpx.HTTPError | None]:
        content: Iterable[bytes] | None = upload.blocks() if upload else None
        try:
            return self._http.request(content=content, **exchange.arguments(call)), None
        except httpx.HTTPError as error:
            return None, error
