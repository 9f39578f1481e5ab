"""Routes of bulk jobs: submit, watch, cancel, retry."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from services.common.errors import InvalidRequest, UnsupportedFormat
from services.common.server.drain import is_stopping
from services.common.validation import first_reason
from services.common.wire.input_formats import Compression, InputFormat
from services.common.wire.jobs import Job, JobAccepted, JobOptions, JobPage, JobPageOptions
from services.indexer.api.dependencies import AcceptanceDep, BookDep, NamedSourcesDep
from services.indexer.intake.mapping import FieldMapping
from services.indexer.jobs.book import JobBook
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.rejections import rejections_of
from services.indexer.jobs.submission import Submission

router = APIRouter(tags=["jobs"])

_KEEPALIVE_SECONDS = 10.0
_EVENT_SECONDS = 0.25
"""Shortest time between two progress events, in seconds."""
_LOOK_SECONDS = 1.0
"""Longest time in seconds until the stop of the service is noticed while no job changes."""

Encoding = Annotated[str | None, Header(alias="content-encoding")]


@router.post("/index-jobs", status_code=202)
async def submit(
    request: Request,
    named: NamedSourcesDep,
    acceptance: AcceptanceDep,
    options: Annotated[JobOptions, Query()],
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    content_encoding: Encoding = None,
) -> JobAccepted:
    """The body is the input, plain, gzip or zstd; or `source` names it."""
    if content_encoding not in (None, "", "identity", *Compression):
        raise UnsupportedFormat("Send the input plain, or compressed with gzip or zstd.")
    submission = Submission(
        collection=options.collection,
        mode=options.mode,
        format=options.format or InputFormat.JSONL,
        mapping=_mapping(options.mapping),
        max_errors=options.max_errors,
        idempotency_key=idempotency_key,
        encoder=options.encoder,
        force=options.force,
        charset=options.charset,
        name=options.name or "",
        partition=options.partition,
    )
    if (submission.mapping.vector or options.vectors) and options.encoder is None:
        raise InvalidRequest(
            "Ready-made vectors need `encoder`, the fingerprint of the encoder that made them"
            " (GET /v1/collections shows it)."
        )
    if options.vectors is not None and options.source is None:
        raise InvalidRequest("`vectors` belongs to a `source`; a body holds one file only.")
    ledger = await acceptance.submit(
        submission,
        request.stream() if options.source is None else named.read(options.source),
        None if options.vectors is None else named.read(options.vectors),
    )
    return JobAccepted(job_id=ledger.manifest.id, state=ledger.state)


@router.get("/index-jobs")
async def page(book: BookDep, options: Annotated[JobPageOptions, Query()]) -> JobPage:
    """Jobs, newest first, page by page."""
    book.check()
    limit = options.limit
    chosen = [ledger for ledger in book.all() if _lists(options, ledger)]
    more = chosen[limit - 1].manifest.id if len(chosen) > limit else None
    return JobPage(jobs=[book.report(ledger) for ledger in chosen[:limit]], next=more)


def _lists(options: JobPageOptions, ledger: JobLedger) -> bool:
    """Whether a list with these options has a job."""
    manifest = ledger.manifest
    return (
        (options.state is None or ledger.state in options.state)
        and (options.collection is None or manifest.collection == options.collection)
        and (options.after is None or manifest.id < options.after)
    )


@router.get("/index-jobs/{job_id}")
async def status(book: BookDep, job_id: str) -> Job:
    """One job as it is now."""
    return book.report(book.get(job_id))


@router.get("/index-jobs/{job_id}/errors", response_class=StreamingResponse)
async def errors(book: BookDep, job_id: str) -> StreamingResponse:
    """The rejected lines of a job with their reasons, as JSON lines."""
    ledger = book.get(job_id)
    lines = (rejection.model_dump_json() + "\n" for rejection in rejections_of(book.files, ledger))
    return StreamingResponse(lines, media_type="application/jsonl")


@router.get("/index-jobs/{job_id}/events", response_class=StreamingResponse)
async def events(request: Request, book: BookDep, job_id: str) -> StreamingResponse:
    """Server-sent events: the job as it changes, until it has ended or the service stops."""
    book.get(job_id)
    progress = _progress(book, job_id, partial(is_stopping, request.app))
    return StreamingResponse(progress, media_type="text/event-stream")


@router.post("/index-jobs/{job_id}:cancel")
async def cancel(book: BookDep, job_id: str) -> Job:
    """Cancels a job; what is written stays, and is counted exactly."""
    ledger = book.get(job_id)
    await book.cancel(ledger)
    return book.report(ledger)


@router.post("/index-jobs/{job_id}:retry", status_code=202)
async def retry(book: BookDep, acceptance: AcceptanceDep, job_id: str) -> Job:
    """Opens again what failed or was not reached."""
    ledger = book.get(job_id)
    await acceptance.retry(ledger)
    return book.report(ledger)


async def _progress(book: JobBook, job_id: str, stops: Callable[[], bool]) -> AsyncIterator[str]:
    """The events of a job; they end early when `stops` tells that the service does."""
    sent = ""
    while not stops():
        if not book.loaded:
            await book.change(_LOOK_SECONDS)
            yield ": the jobs are read back\n\n"
            continue
        job = book.report(book.get(job_id))
        text = job.model_dump_json()
        changed = json.dumps([job.state, job.counts.model_dump(), job.message])
        if changed != sent:
            sent = changed
            yield f"event: progress\ndata: {text}\n\n"
        else:
            yield ": still there\n\n"
        if job.state.final:
            return
        await asyncio.sleep(_EVENT_SECONDS)
        give_up = book.clock() + _KEEPALIVE_SECONDS
        while book.loaded and book.report(book.get(job_id)) == job and book.clock() < give_up:
            await book.change(_LOOK_SECONDS)
            if stops():
                return


def _mapping(text: str | None) -> FieldMapping:
    if text is None:
        return FieldMapping()
    try:
        return FieldMapping.model_validate_json(text)
    except ValidationError as error:
        raise InvalidRequest(
            'mapping: a JSON object like {"id": "doc_id", "text": "abstract"} with'
            f" {', '.join(FieldMapping.model_fields)} is needed; {first_reason(error, depth=1)}"
        ) from error
