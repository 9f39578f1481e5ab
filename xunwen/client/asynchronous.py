"""The asynchronous client; `python xunwen/client/generate.py` makes the synchronous one of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self, TypeVar, Unpack

import httpx
from pydantic import BaseModel

from services.common.citations.forms import CitationForm
from services.common.wire.collections import Collection, DocumentsDeleted, DocumentWritten
from services.common.wire.contents import (
    CollectionStatistics,
    ExportFormat,
    ListedDocument,
    StoredDocument,
    StoredVector,
)
from services.common.wire.dictionary import DictionaryWritten, StoredDictionary
from services.common.wire.golden import GoldenQuery
from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import Job, JobAccepted, JobMode
from services.common.wire.query_rules import QueryRules, RulesWritten, StoredRules
from xunwen.client import calls, exchange
from xunwen.client.answers import (
    BatchItem,
    InputType,
    Readiness,
    RejectedLine,
    RerankedDocument,
    SearchAnswer,
    SearchOptions,
    SimilarAnswer,
    Suggestions,
)
from xunwen.client.documents import GivenDocument
from xunwen.client.errors import ApiError, XunwenError
from xunwen.client.retries import Retries, is_passing
from xunwen.client.uploads import Input, Upload, job_options, open_upload

T = TypeVar("T", bound=BaseModel)


class AsyncClient:
    """A client of a gateway, to be used as a context manager.

    Every method raises ApiError when the gateway refuses or fails, ConnectionFailed when nobody
    answers after the retries, and their base XunwenError for arguments that cannot be sent.
    """

    def __init__(
        self,
        url: str = exchange.DEFAULT_URL,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: Retries | None = None,
    ) -> None:
        """Connects to nothing yet. `timeout` is in seconds and for each attempt.

        Raises XunwenError for an address, a key, a timeout, certificates or a proxy that cannot be
        one.
        """
        self._http = exchange.opened(httpx.AsyncClient, url, api_key, timeout)
        self._retries = retries or Retries()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    # -- searching

    async def search(
        self, query: str | None = None, **options: Unpack[SearchOptions]
    ) -> SearchAnswer:
        """The best hits for a query, with the time and candidates of each stage.

        Without a query: the documents that the filter selects, in the order of `sort`.
        """
        return await self._send(calls.search(query, options))

    async def search_pages(
        self, query: str | None = None, **options: Unpack[SearchOptions]
    ) -> AsyncIterator[SearchAnswer]:
        """The pages of a search, of `top_k` hits each, at most 10,000 hits in all.

        All pages follow one order, whatever is written meanwhile; `recall_k` says how many
        candidates of a query they show.
        """
        options["cursor"] = "*"
        while True:
            page = await self.search(query, **options)
            yield page
            if page.next_cursor is None:
                return
            options["cursor"] = page.next_cursor

    async def search_batch(
        self, queries: Sequence[str], **options: Unpack[SearchOptions]
    ) -> list[BatchItem]:
        """The answers to at most 100 queries, in the order of the queries."""
        batch = await self._send(calls.search_batch(queries, options))
        return batch.answers

    async def similar(
        self,
        document_id: str,
        *,
        collection: str,
        top_k: int | None = None,
        filter: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        partition: str | None = None,
    ) -> SimilarAnswer:
        """The documents nearest to a stored one, by the vectors that are stored."""
        return await self._send(
            calls.similar(document_id, collection, top_k, filter, fields, partition)
        )

    async def suggest(
        self, typed: str, *, collection: str, limit: int | None = None
    ) -> Suggestions:
        """Completions of a query that is being typed, also by its pinyin or first letters."""
        return await self._send(calls.suggest(typed, collection, limit))

    async def cite(
        self, ids: Sequence[str], *, collection: str, form: CitationForm | str = CitationForm.RIS
    ) -> str:
        """Documents as references in RIS, BibTeX or GB/T 7714 text; at most 100."""
        answer = await self._send(calls.cite(ids, collection, form))
        return answer.text

    async def cite_search(
        self,
        query: str | None,
        *,
        form: CitationForm | str = CitationForm.RIS,
        **options: Unpack[SearchOptions],
    ) -> str:
        """The hits of a search as references, in their order."""
        answer = await self._send(calls.cite_search(query, form, options))
        return answer.text

    async def embed(
        self, texts: Sequence[str], *, input_type: InputType | None = None
    ) -> list[list[float]]:
        """One vector for each text, normalised to length 1.

        The encoder has a form of its own for queries, so a vector that is compared with those of
        documents needs `input_type="query"`; without it a text is embedded as a document.
        """
        embeddings = await self._send(calls.embed(texts, input_type))
        return [item.embedding for item in sorted(embeddings.data, key=lambda item: item.index)]

    async def rerank(
        self, query: str, documents: Sequence[str], *, top_n: int | None = None
    ) -> list[RerankedDocument]:
        """The `top_n` documents most relevant to the query, best first; all of them by default."""
        reranked = await self._send(calls.rerank(query, documents, top_n))
        return reranked.results

    async def readiness(self) -> Readiness:
        """Whether the system is ready, and what it waits for."""
        return await self._send(calls.readiness())

    # -- documents and collections

    async def put(self, document: GivenDocument, *, collection: str) -> DocumentWritten:
        """Writes one document; it can be found when this returns.

        It may be one that was read, or its members as in a line of JSON: {"id": ..., "title": ...}.
        """
        return await self._send(calls.put(document, collection))

    async def get(self, document_id: str, *, collection: str) -> StoredDocument:
        """One document with its body; ApiError with the status 404 when it is not there."""
        return await self._send(calls.get(document_id, collection))

    async def patch(
        self,
        document_id: str,
        *,
        collection: str,
        title: str | calls.NotGiven | None = calls.NOT_GIVEN,
        text: str | calls.NotGiven | None = calls.NOT_GIVEN,
        body: str | calls.NotGiven | None = calls.NOT_GIVEN,
        fields: Mapping[str, Any] | calls.NotGiven | None = calls.NOT_GIVEN,
    ) -> DocumentWritten:
        """Changes the parts of a document that are named; None removes a part, or within `fields`
        a field.

        Without a new title, text or body nothing is encoded again.
        """
        return await self._send(calls.patch(document_id, collection, title, text, body, fields))

    async def documents(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> AsyncIterator[ListedDocument]:
        """All documents of a collection, or those of a filter, by id, read page by page.

        `fields` names what they carry besides the id; `["id"]` gives the ids alone.
        """
        after: str | None = None
        while True:
            page = await self._send(calls.documents(collection, after, filter, fields))
            for document in page.documents:
                yield document
            after = page.next
            if after is None:
                return

    async def vector(self, document_id: str, *, collection: str) -> StoredVector:
        """The vector of a document as it is stored."""
        return await self._send(calls.vector(document_id, collection))

    async def export(
        self,
        collection: str,
        *,
        format: ExportFormat | str = ExportFormat.JSONL,
        filter: Mapping[str, Any] | None = None,
        vectors: bool = False,
    ) -> AsyncIterator[bytes]:
        """A collection, or the documents of a filter, as a file that `index` reads back.

        Raises ConnectionFailed if the connection ends before the file does.
        """
        async for block in self._blocks(calls.export_path(collection, format, filter, vectors)):
            yield block

    async def original(self, document_id: str, *, collection: str) -> AsyncIterator[bytes]:
        """The file of which a document was made, as it was sent.

        Raises ApiError with the status 404 where none is kept, and ConnectionFailed where the
        connection ends before the file does.
        """
        async for block in self._blocks(calls.original_path(document_id, collection)):
            yield block

    async def statistics(self, collection: str) -> CollectionStatistics:
        """Statistics of the documents of a collection: kinds and values of their fields."""
        return await self._send(calls.statistics(collection))

    async def delete(self, document_id: str, *, collection: str) -> DocumentsDeleted:
        """Deletes one document; `deleted` is 0 when it was not there."""
        return await self._send(calls.delete(document_id, collection))

    async def delete_documents(
        self,
        *,
        collection: str,
        ids: Sequence[str] | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> DocumentsDeleted:
        """Deletes by ids or by filter, exactly one of the two."""
        return await self._send(calls.delete_documents(collection, ids, filter))

    async def collections(self) -> list[Collection]:
        """The collections that the key sees."""
        answer = await self._send(calls.collections())
        return answer.collections

    async def collection(self, name: str) -> Collection:
        """One collection: its number of documents, its encoder, its index version."""
        return await self._send(calls.collection(name))

    async def create_collection(
        self,
        name: str,
        *,
        encoder: str | None = None,
        fields: Mapping[str, Any] | None = None,
        partition_key: str | None = None,
    ) -> Collection:
        """Makes an empty collection; ApiError with the status 409 when it exists.

        `encoder` is the fingerprint of the one that fills it, among those that are installed.
        `fields` are types as in `declare_fields`. `partition_key` is the field by whose values the
        documents are divided into partitions.
        """
        return await self._send(calls.create_collection(name, encoder, fields, partition_key))

    async def declare_fields(self, name: str, fields: Mapping[str, Any]) -> Collection:
        """Declares types of metadata fields, such as {"year": "number"}, beside those declared
        before.

        Documents that are written later are checked; a rebuild checks the others and makes the
        columns that filters then use.
        """
        return await self._send(calls.declare_fields(name, fields))

    async def delete_collection(self, name: str) -> None:
        """Deletes a collection with all its documents."""
        await self._send(calls.delete_collection(name))

    async def rebuild(
        self, name: str, *, encoder: str | None = None, force: bool = False
    ) -> JobAccepted:
        """Starts to index a collection anew from its own documents; watch the job.

        `encoder` is the fingerprint of another one, among those that are installed. With `force`
        the new index answers even if it answers the golden queries worse, or if documents that
        cannot be indexed anew are missing.
        """
        return await self._send(calls.rebuild(name, encoder, force))

    async def put_golden_queries(
        self, name: str, queries: Sequence[GoldenQuery | Mapping[str, Any]]
    ) -> int:
        """Sets the queries that a rebuild must answer as well as before; returns their number.

        Each has a `query` and the `ids` of the documents that answer it.
        """
        golden = calls.golden_set(queries)
        return len((await self._send(calls.put_golden_queries(name, golden))).queries)

    async def golden_queries(self, name: str) -> list[GoldenQuery]:
        """The golden queries of a collection."""
        return (await self._send(calls.golden_queries(name))).queries

    async def put_query_rules(
        self, name: str, rules: QueryRules | Mapping[str, Any]
    ) -> RulesWritten:
        """Sets the synonyms, stop words, pinned and hidden documents of a collection.

        They take the place of all rules before. Rules that were read with `query_rules` carry their
        version; if they were changed meanwhile, ApiError has the status 409.
        """
        return await self._send(calls.put_query_rules(name, calls.rules_update(rules)))

    async def put_dictionary(self, name: str, words: Sequence[str]) -> DictionaryWritten:
        """Sets the words that the segmenter keeps whole in a collection, in the place of those
        before.

        Documents and queries are cut by them from the next rebuild on (`waiting`).
        """
        return await self._send(calls.put_dictionary(name, words))

    async def dictionary(self, name: str) -> StoredDictionary:
        """The words of a collection's dictionary."""
        return await self._send(calls.dictionary(name))

    async def query_rules(self, name: str) -> StoredRules:
        """The query rules of a collection."""
        return await self._send(calls.query_rules(name))

    async def rollback(self, name: str) -> Collection:
        """Puts back the index that the last rebuild replaced."""
        return await self._send(calls.rollback(name))

    # -- bulk jobs

    async def index(
        self,
        input: Input | None = None,
        *,
        collection: str,
        mode: JobMode | str = JobMode.UPSERT,
        format: InputFormat | str | None = None,
        mapping: Mapping[str, Any] | None = None,
        name: str | None = None,
        charset: Charset | str | None = None,
        max_errors: int | None = None,
        encoder: str | None = None,
        force: bool = False,
        partition: str | None = None,
        source: str | None = None,
        vectors: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submits files, or documents, as a bulk job and returns it as accepted.

        The name of a file tells its format (.jsonl .json .csv .tsv .xlsx .xls .parquet .txt
        .ris .bib .enw .net .eln .nbib, also .gz; .pdf .docx .html .md, one document each;
        .zip of any of these), or `format` does. Several files, or a folder, are sent as a
        zip. The id of a document that is a whole file is its name, or `name`. `mapping`
        names the columns, {"id": ..., "title": ..., "text": ...}; a job with more than
        `max_errors` rejected documents stops. `charset` declares a text that is not UTF-8
        (gb18030, big5, utf-16). A mapping with "vector" takes ready-made vectors, made by
        the encoder of the fingerprint `encoder`. The mode "rebuild" replaces the whole
        collection, and with `force` it switches although the new index answers golden queries
        worse; "import" fills an empty collection by the bulk import of a Milvus server.
        `partition` is that of every document, in a collection with a partition key. With
        `source`, instead of `input`, the server reads a path or an s3:// address that its
        operator allowed, and with `vectors` a .npy matrix beside it. Every submission carries
        an idempotency key, so that one sent again after a failure is still one job. Wait for
        its end with `wait`, or follow it with `watch`.
        """
        options = {
            "collection": collection,
            "mode": mode,
            "name": name,
            "charset": charset,
            "max_errors": max_errors,
            "encoder": encoder,
            "force": force,
            "partition": partition,
            "source": source,
            "vectors": vectors,
        }
        with open_upload(input, format, source) as upload:
            params = job_options(upload, mapping, options).params()
            await upload.apack()
            headers = upload.headers(idempotency_key)
            call = calls.Call("POST", "/v1/index-jobs", JobAccepted, params, headers=headers)
            accepted = await self._send(call, upload)
        return await self.job(accepted.job_id)

    async def job(self, job_id: str) -> Job:
        """One job as it is now."""
        return await self._send(calls.job(job_id))

    async def jobs(
        self, *, collection: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncIterator[Job]:
        """All jobs, or those of one collection or in certain states, newest first, read page by
        page.

        `state` is one of JobState, or several of them.
        """
        after: str | None = None
        while True:
            page = await self._send(calls.jobs(collection, state, after))
            for job in page.jobs:
                yield job
            after = page.next
            if after is None:
                return

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job each time it has moved, ending with its final state.

        Goes on after a lost connection, and waits a minute for a gateway that is started again;
        raises when it stays away.
        """
        last = await self.job(job_id)
        yield last
        while not last.state.final:
            async for job in self._events(job_id):
                if job != last:
                    yield job
                last = job
            if not last.state.final:
                job = await self._job_again(job_id)
                if job != last:
                    yield job
                last = job

    async def wait(self, job_id: str) -> Job:
        """The job in its final state; look at its `state` and `counts`."""
        async for job in self.watch(job_id):
            last = job
        return last

    async def cancel(self, job_id: str) -> Job:
        """Asks a job to stop; what is indexed stays."""
        return await self._send(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """Runs again what failed of a finished job."""
        return await self._send(calls.retry(job_id))

    async def errors(self, job_id: str) -> AsyncIterator[RejectedLine]:
        """The rejected lines of a job, streamed."""
        path = calls.errors_path(job_id)
        async for line in self._lines(path):
            yield exchange.parsed(RejectedLine, line, f"GET {path}")

    async def _job_again(self, job_id: str) -> Job:
        """The job after a lost connection."""
        patience = self._retries.patience()
        while True:
            await asyncio.sleep(exchange.PAUSE_SECONDS)
            try:
                return await self.job(job_id)
            except XunwenError as error:
                if not patience.lasts(error):
                    raise

    async def _events(self, job_id: str) -> AsyncIterator[Job]:
        """Progress as the server sends it; ends early when the connection is lost, or after a pause
        if the server follows too many jobs already."""
        path = calls.events_path(job_id)
        try:
            async for line in self._lines(path):
                if line.startswith(b"data:"):
                    yield exchange.parsed(Job, line.removeprefix(b"data:"), f"GET {path}")
        except XunwenError as error:
            if not is_passing(error):
                raise
            if isinstance(error, ApiError) and error.code == "overloaded":
                await asyncio.sleep(exchange.CROWDED_SECONDS)

    async def _lines(self, path: str) -> AsyncIterator[bytes]:
        """The lines of an answer. They end with a line feed only: httpx would also cut a text at a
        line separator in it, such as U+2028."""
        rest = b""
        async for block in self._blocks(path):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield line
        if rest:
            yield rest

    async def _blocks(self, path: str) -> AsyncIterator[bytes]:
        try:
            async with self._http.stream("GET", path) as response:
                if not response.is_success:
                    await response.aread()
                    raise ApiError.of(response)
                async for block in response.aiter_bytes():
                    yield block
        except httpx.HTTPError as error:
            raise exchange.connection_failed(self._http.base_url, error) from error

    async def _send(self, call: calls.Call[T], upload: Upload | None = None) -> T:
        arguments = exchange.arguments(call)
        attempt = 0
        while True:
            attempt += 1
            response, failure = await self._attempt(arguments, upload)
            pause = self._retries.again(attempt, response) if call.repeatable else None
            if pause is not None:
                await asyncio.sleep(pause)
            elif response is not None:
                return exchange.read(call, response)
            elif failure is not None:
                raise exchange.connection_failed(self._http.base_url, failure) from failure

    async def _attempt(
        self, arguments: Mapping[str, Any], upload: Upload | None
    ) -> tuple[httpx.Response | None, httpx.HTTPError | None]:
        body = {"content": upload.ablocks()} if upload else {}
        try:
            return await self._http.request(**{**arguments, **body}), None
        except httpx.HTTPError as error:
            return None, error
