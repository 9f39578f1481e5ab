"""For workers only: what they may do, and what became of it."""

from fastapi import APIRouter, Request, Response

from services.indexer.jobs.workers import WorkDesk
from services.indexer.rows import unpack_rows
from services.indexer.work.wire import Claim, Failure, Granted, Heartbeat, Planned, Renewal

router = APIRouter(prefix="/work", tags=["workers"], include_in_schema=False)


def _desk(request: Request) -> WorkDesk:
    desk: WorkDesk = request.state.desk
    return desk


@router.post("/heartbeat", status_code=204)
async def heartbeat(request: Request, body: Heartbeat) -> None:
    _desk(request).workers.heard(body.worker)


@router.post("/{job_id}/{part}/claim")
async def claim(request: Request, job_id: str, part: str, body: Claim) -> Granted:
    return _desk(request).claim(job_id, part, body)


@router.post("/{job_id}/{part}/renew", status_code=204)
async def renew(request: Request, job_id: str, part: str, body: Renewal) -> None:
    _desk(request).renew(job_id, part, body)


@router.post("/{job_id}/{part}/release", status_code=204)
async def release(request: Request, job_id: str, part: str, body: Renewal) -> None:
    _desk(request).release(job_id, part, body.token)


@router.post("/{job_id}/{part}/failure", status_code=204)
async def failure(request: Request, job_id: str, part: str, body: Failure) -> None:
    _desk(request).fail(job_id, part, body)


@router.post("/{job_id}/planned", status_code=204)
async def planned(request: Request, job_id: str, worker: str, body: Planned) -> None:
    await _desk(request).planned(job_id, body, worker)


@router.post("/{job_id}/{part}/rows", status_code=204)
async def rows(request: Request, job_id: str, part: str, token: str, worker: str) -> Response:
    content = unpack_rows(await request.body())
    await _desk(request).written(job_id, part, token, worker, content)
    return Response(status_code=204)
