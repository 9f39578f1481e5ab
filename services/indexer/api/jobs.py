"""Bulk jobs: submit, watch, cancel, retry."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from services.common.collection import NAME_PATTERN
from services.common.errors import InvalidRequest, UnsupportedFormat
from services.common.wire.jobs import InputFormat, Job, JobAccepted, JobMode, JobPage, JobState
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.manifest import FieldMapping
from services.indexer.jobs.sources import Sources
from services.indexer.jobs.submission import Submission, Submissions

router = APIRouter(tags=["jobs"])

_KEEPALIVE_SECONDS = 10.0
_EVENT_SECONDS = 0.25
"""Between two progress events, however fast the job is."""

Encoding = Annotated[str | None, Header(alias="content-encoding")]


@router.post("/index-jobs", status_code=202)
async def submit(
    request: Request,
    collection: Annotated[str, Query(pattern=NAME_PATTERN)],
    mode: JobMode = JobMode.UPSERT,
    format: InputFormat = InputFormat.JSONL,  # noqa: A002 - the name in the API
    mapping: Annotated[str | None, Query(description="FieldMapping as JSON")] = None,
    max_errors: Annotated[int | None, Query(ge=0)] = None,
    source: Annotated[str | None, Query(description="Path or s3:// address of the input")] = None,
    vectors: Annotated[str | None, Query(description="The same of a .npy matrix")] = None,
    encoder: Annotated[
        str | None, Query(description="Fingerprint the vectors were made by")
    ] = None,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    content_encoding: Encoding = None,
) -> JobAccepted:
    """The body is the input, plain, gzip or zstd; or `source` names it."""
    if content_encoding not in (None, "", "identity", "gzip", "zstd"):
        raise UnsupportedFormat("Send the input plain, or compressed with gzip or zstd.")
    wanted = Submission(
        collection=collection,
        mode=mode,
        format=format,
        mapping=_mapping(mapping),
        max_errors=max_errors,
        idempotency_key=idempotency_key,
        encoder=encoder,
    )
    if (wanted.mapping.vector or vectors) and encoder is None:
        raise InvalidRequest(
            "Ready-made vectors need `encoder`, the fingerprint of the encoder that made them"
            " (GET /v1/collections shows it)."
        )
    if vectors is not None and source is None:
        raise InvalidRequest("`vectors` belongs to a `source`; a body holds one file only.")
    sources: Sources = request.state.sources
    submissions: Submissions = request.state.submissions
    ledger = await submissions.submit(
        wanted,
        request.stream() if source is None else sources.read(source),
        None if vectors is None else sources.read(vectors),
    )
    return JobAccepted(job_id=ledger.manifest.id, state=ledger.state)


@router.get("/index-jobs")
async def page(
    request: Request,
    state: Annotated[list[JobState] | None, Query()] = None,
    collection: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str | None, Query(description="`next` of the page before")] = None,
) -> JobPage:
    book = _book(request)
    book.check()
    now = book.clock()
    chosen = [
        ledger
        for ledger in book.all()
        if (not state or ledger.state in state)
        and (collection is None or ledger.manifest.collection == collection)
        and (after is None or ledger.manifest.id < after)
    ]
    more = chosen[limit - 1].manifest.id if len(chosen) > limit else None
    return JobPage(jobs=[ledger.report(now) for ledger in chosen[:limit]], next=more)


@router.get("/index-jobs/{job_id}")
async def status(request: Request, job_id: str) -> Job:
    book = _book(request)
    return book.get(job_id).report(book.clock())


@router.get("/index-jobs/{job_id}/errors", response_class=StreamingResponse)
async def errors(request: Request, job_id: str) -> StreamingResponse:
    """The rejected lines with their reasons, as JSON lines."""
    book = _book(request)
    ledger = book.get(job_id)
    lines = (rejection.model_dump_json() + "\n" for rejection in book.rejections(ledger))
    return StreamingResponse(lines, media_type="application/jsonl")


@router.get("/index-jobs/{job_id}/events", response_class=StreamingResponse)
async def events(request: Request, job_id: str) -> StreamingResponse:
    """Server-sent events: the job as it changes, until it has ended."""
    book = _book(request)
    book.get(job_id)
    return StreamingResponse(_progress(book, job_id), media_type="text/event-stream")


@router.post("/index-jobs/{job_id}:cancel")
async def cancel(request: Request, job_id: str) -> Job:
    book = _book(request)
    ledger = book.get(job_id)
    await book.cancel(ledger)
    return ledger.report(book.clock())


@router.post("/index-jobs/{job_id}:retry", status_code=202)
async def retry(request: Request, job_id: str) -> Job:
    book = _book(request)
    ledger = book.get(job_id)
    submissions: Submissions = request.state.submissions
    await submissions.retry(ledger)
    return ledger.report(book.clock())


async def _progress(book: JobBook, job_id: str) -> AsyncIterator[str]:
    told = ""
    while True:
        job = book.get(job_id).report(book.clock())
        text = job.model_dump_json()
        changed = json.dumps([job.state, job.counts.model_dump()])
        if changed != told:
            told = changed
            yield f"event: progress\ndata: {text}\n\n"
        else:
            yield ": still there\n\n"
        if job.state.final:
            return
        await asyncio.sleep(_EVENT_SECONDS)
        if book.get(job_id).report(book.clock()) == job:
            await book.change(_KEEPALIVE_SECONDS)


def _book(request: Request) -> JobBook:
    book: JobBook = request.state.book
    return book


def _mapping(text: str | None) -> FieldMapping:
    if text is None:
        return FieldMapping()
    try:
        return FieldMapping.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"][:1])
        raise InvalidRequest(
            'mapping: a JSON object like {"id": "doc_id", "text": "abstract"} with id, title, text,'
            f" fields, vector is needed; {where}: {first['msg']}"
        ) from error
