"""Bulk-index jobs: every way to hand documents over, and what became of them."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.collection import NAME_PATTERN
from services.common.documents import Document
from services.common.errors import JobNotFound, UnsupportedFormat
from services.common.wire.jobs import InputFormat, Job, JobAccepted, JobMode, JobPage
from services.gateway.api.state import Caller, Indexer, check_sees
from services.gateway.proxy import follow, pass_on, segment, upload
from services.gateway.schemas import DEFAULT_COLLECTION
from services.gateway.uploads import Upload, of_multipart, of_raw

router = APIRouter(prefix="/v1/index-jobs", tags=["index jobs"])

MAX_INLINE = 10_000


class InlineDocuments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    documents: list[Document] = Field(min_length=1, max_length=MAX_INLINE)


async def _seen(
    indexer: Indexer,
    caller: Caller,
    job_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")],
) -> str:
    """A job of a collection that the key does not see is answered as one that is not there."""
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

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "required": False,
    "description": "A file as the raw body or as the part `file` of a form, or documents in JSON;"
    " nothing with `source`",
    "content": {
        "application/json": {"schema": InlineDocuments.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
                "additionalProperties": False,
            }
        },
        "application/octet-stream": _BINARY,
        "application/x-ndjson": _BINARY,
        "application/vnd.apache.parquet": _BINARY,
        "text/csv": _BINARY,
        "text/tab-separated-values": _BINARY,
        "text/plain": _BINARY,
    },
}


@router.post(
    "",
    response_model=JobAccepted,
    status_code=202,
    summary="Index documents in bulk",
    openapi_extra={"requestBody": _BODY},
)
async def create_job(
    request: Request,
    indexer: Indexer,
    caller: Caller,
    collection: Annotated[str, Query(pattern=NAME_PATTERN)] = DEFAULT_COLLECTION,
    mode: JobMode = JobMode.UPSERT,
    stated: Annotated[
        InputFormat | None,
        Query(alias="format", description="Needed where neither type nor name tells it"),
    ] = None,
    mapping: Annotated[
        str | None,
        Query(
            max_length=2_000,
            description="The columns as JSON, `id`, `title`, `text`, the list `fields` and"
            " `vector`",
            examples=['{"id": "no", "title": "name", "text": "body"}'],
        ),
    ] = None,
    max_errors: Annotated[
        int | None, Query(ge=0, description="The job stops with more rejected documents than this")
    ] = None,
    encoder: Annotated[
        str | None,
        Query(
            max_length=64,
            description="Fingerprint of the encoder that made the vectors, when `mapping` names"
            " a column of ready-made ones",
        ),
    ] = None,
    source: Annotated[
        str | None,
        Query(
            max_length=2_000,
            description="Instead of a body: a path or s3:// address under a root that the"
            " operator allowed",
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        Query(max_length=2_000, description="The same of a .npy matrix, a row per document"),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[A-Za-z0-9._-]{1,128}$",
            description="The same key and body start one job, however often they are sent",
        ),
    ] = None,
) -> Response:
    """The job is accepted once its input is safely stored. Large files go best as a raw body."""
    check_sees(caller, collection)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "").strip().lower()
    extra = {} if idempotency_key is None else {"idempotency-key": idempotency_key}

    async def send(sent: Upload) -> Response:
        params = {"collection": collection, "mode": mode.value, "format": sent.format.value}
        if mapping is not None:
            params["mapping"] = mapping
        if max_errors is not None:
            params["max_errors"] = str(max_errors)
        if encoder is not None:
            params["encoder"] = encoder
        if source is not None:
            params["source"] = source
        if vectors is not None:
            params["vectors"] = vectors
        headers = extra if sent.encoding is None else extra | {"content-encoding": sent.encoding}
        return await upload(
            indexer, "/index-jobs", content=sent.content, params=params, headers=headers
        )

    if source is not None:
        return await send(Upload(_nothing(), stated or InputFormat.JSONL, None))
    if kind == "application/json" and stated in (None, InputFormat.JSONL):
        if encoding:
            raise UnsupportedFormat("Documents in JSON come uncompressed; compress a jsonl file.")
        return await send(Upload(_lines(await _inline(request)), InputFormat.JSONL, None))
    if kind == "multipart/form-data":
        async with of_multipart(request, stated) as sent:
            return await send(sent)
    return await send(of_raw(request, kind, encoding, stated))


async def _inline(request: Request) -> InlineDocuments:
    try:
        return InlineDocuments.model_validate_json(await request.body())
    except ValidationError as error:
        raise RequestValidationError(_located(error)) from error


def _located(error: ValidationError) -> list[Mapping[str, Any]]:
    return [{**item, "loc": ("body", *item["loc"])} for item in error.errors(include_url=False)]


async def _nothing() -> AsyncIterator[bytes]:
    blocks: tuple[bytes, ...] = ()
    for block in blocks:
        yield block


async def _lines(inline: InlineDocuments) -> AsyncIterator[bytes]:
    for document in inline.documents:
        yield document.model_dump_json().encode() + b"\n"


@router.get("", response_model=JobPage, summary="Jobs, the newest first")
async def jobs(
    indexer: Indexer,
    caller: Caller,
    collection: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
) -> Response:
    params = {"limit": str(limit)}
    if collection is not None:
        check_sees(caller, collection)
        params["collection"] = collection
    if after is not None:
        params["after"] = after
    answer = await pass_on(indexer, "GET", "/index-jobs", params=params)
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
    return await pass_on(indexer, "GET", f"/index-jobs/{segment(job_id)}/errors")


@router.get(
    "/{job_id}/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    summary="The job as it changes, until it has ended, as server-sent events",
)
async def job_events(job_id: JobId, indexer: Indexer) -> Response:
    return await follow(indexer, f"/index-jobs/{segment(job_id)}/events")


@router.post("/{job_id}:cancel", response_model=Job, summary="Stop a job; what is indexed stays")
async def cancel_job(job_id: JobId, indexer: Indexer) -> Response:
    return await pass_on(indexer, "POST", f"/index-jobs/{segment(job_id)}:cancel")


@router.post("/{job_id}:retry", response_model=Job, summary="Run the failed parts of a job again")
async def retry_job(job_id: JobId, indexer: Indexer) -> Response:
    return await pass_on(indexer, "POST", f"/index-jobs/{segment(job_id)}:retry")


@router.get("/{job_id}", response_model=Job, summary="One job")
async def job(job_id: JobId, indexer: Indexer) -> Response:
    return await pass_on(indexer, "GET", f"/index-jobs/{segment(job_id)}")
