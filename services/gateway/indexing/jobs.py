"""Bulk-index jobs: the ways to send documents, and the state of the jobs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.common.errors import InvalidRequest, JobNotFound, UnsupportedFormat
from services.common.paths import segment
from services.common.patterns import explained
from services.common.server.drain import is_stopping
from services.common.wire.input_formats import Charset, InputFormat
from services.common.wire.jobs import JOB_ID, Job, JobAccepted, JobPage, JobPageOptions
from services.gateway.access.body_limits import is_inline
from services.gateway.access.caller import Caller, check_sees
from services.gateway.access.keys import NO_TENANT, ApiKey
from services.gateway.indexing.proxy import follow, pass_on, upload
from services.gateway.indexing.schemas import JOB_BODY, InlineDocuments, PublicJobOptions
from services.gateway.indexing.uploads import Upload, charset_of, of_multipart, of_raw, of_source
from services.gateway.stores.upstream import Indexer

router = APIRouter(prefix="/v1/index-jobs", tags=["index jobs"])


async def _seen(
    indexer: Indexer,
    caller: Caller,
    job_id: Annotated[str, Path(pattern=JOB_ID)],
) -> str:
    """The id of a job whose collection the key may see.

    A job of another collection is answered like a job that does not exist.
    """
    if caller.collections is not None:
        try:
            job = await indexer.ask("GET", f"/index-jobs/{segment(job_id)}", Job)
        except JobNotFound:
            raise _no_job() from None
        if not caller.sees(job.collection):
            raise _no_job()
    return job_id


def _no_job() -> JobNotFound:
    return JobNotFound("There is no such job for this key.")


JobId = Annotated[str, Depends(_seen)]


@router.post(
    "",
    response_model=JobAccepted,
    status_code=202,
    summary="Index documents in bulk",
    openapi_extra={"requestBody": JOB_BODY},
)
async def create_job(
    request: Request,
    indexer: Indexer,
    caller: Caller,
    options: Annotated[PublicJobOptions, Query()],
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=explained(
                r"^[A-Za-z0-9._-]{1,128}$",
                "write at most 128 letters, digits, points, underscores and hyphens",
            ),
            description="The same key and body start one job, however often they are sent",
        ),
    ] = None,
) -> Response:
    """The job is accepted once its input is safely stored. Large files go best as a raw body."""
    check_sees(caller, options.collection)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    charset = options.charset or charset_of(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "").strip().lower()

    async def send(sent: Upload) -> Response:
        headers = {}
        if idempotency_key is not None:
            headers["idempotency-key"] = _of_tenant(caller, idempotency_key)
        if sent.compression is not None:
            headers["content-encoding"] = sent.compression.value
        found = {"format": sent.format, "charset": charset, "name": options.name or sent.name}
        params = options.model_copy(update=found).params()
        return await upload(
            indexer, "/index-jobs", content=sent.content, params=params, headers=headers
        )

    if options.source is not None:
        return await send(await of_source(request, options.source, options.format))
    if is_inline(kind, options.format):
        if encoding not in ("", "identity"):
            raise UnsupportedFormat("Documents in JSON come uncompressed; compress a jsonl file.")
        if options.charset not in (None, Charset.UTF8):
            raise InvalidRequest(
                "charset: documents in JSON are UTF-8; leave `charset` out, or send a file of lines"
                " in its own charset, with another Content-Type."
            )
        return await send(Upload(_lines(await inline(await request.body())), InputFormat.JSONL))
    if kind == "multipart/form-data":
        async with of_multipart(request, options.format) as sent:
            return await send(sent)
    return await send(of_raw(request, kind, encoding, options))


def _of_tenant(caller: ApiKey, idempotency_key: str) -> str:
    """An idempotency key as the indexer gets it, which knows no tenants: equal keys of two tenants
    differ by the tenant's name. Neither a name nor a key holds a colon."""
    if caller.tenant == NO_TENANT:
        return idempotency_key
    return f"{caller.tenant}:{idempotency_key}"


async def inline(body: bytes) -> InlineDocuments:
    """The documents in a body, checked in a thread, since ten thousand of them take a second.

    Raises RequestValidationError.
    """
    try:
        return await asyncio.to_thread(InlineDocuments.model_validate_json, body)
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error


def _located(error: ValidationError) -> list[Mapping[str, Any]]:
    return [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]


async def _lines(inline: InlineDocuments) -> AsyncIterator[bytes]:
    for document in inline.documents:
        yield document.model_dump_json().encode() + b"\n"


@router.get("", response_model=JobPage, summary="Jobs, the newest first")
async def jobs(
    indexer: Indexer, caller: Caller, options: Annotated[JobPageOptions, Query()]
) -> Response:
    """Lists jobs, the newest first, page by page."""
    if options.collection is not None:
        check_sees(caller, options.collection)
    answer = await pass_on(indexer, "GET", "/index-jobs", params=options.params())
    if caller.collections is None:
        return answer
    page = JobPage.model_validate_json(bytes(answer.body))
    page.jobs = [job for job in page.jobs if caller.sees(job.collection)]
    return Response(page.model_dump_json(), media_type="application/json")


@router.get(
    "/{job_id}/errors",
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
    summary="The rejected lines with reasons, as jsonl",
)
async def job_errors(job_id: JobId, indexer: Indexer) -> Response:
    """Streams the rejected documents of a job with their reasons, as JSON lines."""
    return await follow(indexer, f"/index-jobs/{segment(job_id)}/errors")


@router.get(
    "/{job_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    summary="The job as it changes, until it has ended, as server-sent events",
)
async def job_events(request: Request, job_id: JobId, indexer: Indexer) -> Response:
    """Streams the progress of a job as server-sent events until it has ended. The stream ends early
    when the service is stopped; then ask for the job again."""
    # Something is sent every ten seconds, which is well before the end of the drain.
    stops = partial(is_stopping, request.app)
    return await follow(indexer, f"/index-jobs/{segment(job_id)}/events", stops=stops)


@router.post(
    "/{job_id}:cancel", response_model=Job, summary="Stop a job; documents that it has indexed stay"
)
async def cancel_job(job_id: JobId, indexer: Indexer) -> Response:
    """Asks a job to stop; documents that it has indexed stay."""
    return await pass_on(indexer, "POST", f"/index-jobs/{segment(job_id)}:cancel")


@router.post("/{job_id}:retry", response_model=Job, summary="Run the failed parts of a job again")
async def retry_job(job_id: JobId, indexer: Indexer) -> Response:
    """Runs the failed parts of an ended job again."""
    return await pass_on(indexer, "POST", f"/index-jobs/{segment(job_id)}:retry")


@router.get("/{job_id}", response_model=Job, summary="One job")
async def job(job_id: JobId, indexer: Indexer) -> Response:
    """Describes one job: its state, counts, rate and remaining time."""
    return await pass_on(indexer, "GET", f"/index-jobs/{segment(job_id)}")
