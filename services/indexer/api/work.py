"""Routes for workers only: they claim parts, renew leases, and report results."""

from fastapi import APIRouter, Request, Response

from services.indexer.api.dependencies import PartLeasesDep
from services.indexer.jobs.wire import (
    Claim,
    Failure,
    Granted,
    Heartbeat,
    Planned,
    Release,
    Renewal,
    StoredRows,
)
from services.indexer.tables import unpack_encoded

router = APIRouter(prefix="/work", tags=["workers"], include_in_schema=False)


@router.post("/heartbeat", status_code=204)
async def heartbeat(leases: PartLeasesDep, body: Heartbeat) -> None:
    """Notes the heartbeat of a worker."""
    leases.workers.heard(body.worker)


@router.post("/{job_id}/{part}/claim")
async def claim(leases: PartLeasesDep, job_id: str, part: str, body: Claim) -> Granted:
    """Leases a part to a worker."""
    return await leases.claim(job_id, part, body)


@router.post("/{job_id}/{part}/renew", status_code=204)
async def renew(leases: PartLeasesDep, job_id: str, part: str, body: Renewal) -> None:
    """Keeps a lease alive."""
    leases.renew(job_id, part, body)


@router.post("/{job_id}/{part}/release", status_code=204)
async def release(leases: PartLeasesDep, job_id: str, part: str, body: Release) -> None:
    """Takes a part back without counting an attempt."""
    await leases.release(job_id, part, body)


@router.post("/{job_id}/{part}/failure", status_code=204)
async def failure(leases: PartLeasesDep, job_id: str, part: str, body: Failure) -> None:
    """Takes a part back and counts the attempt."""
    await leases.fail(job_id, part, body)


@router.post("/{job_id}/planned", status_code=204)
async def planned(leases: PartLeasesDep, job_id: str, worker: str, body: Planned) -> None:
    """Records the plan of a job."""
    await leases.planned(job_id, body, worker)


@router.post("/{job_id}/{part}/rows", status_code=204)
async def rows(
    request: Request, leases: PartLeasesDep, job_id: str, part: str, token: str, worker: str
) -> Response:
    """Writes the rows of a part, an Arrow table, and records its result."""
    content = unpack_encoded(await request.body())
    await leases.written(job_id, part, token, worker, content)
    return Response(status_code=204)


@router.post("/{job_id}/{part}/stored", status_code=204)
async def stored(leases: PartLeasesDep, job_id: str, part: str, body: StoredRows) -> None:
    """Records that the rows of a part are stored for an import."""
    await leases.stored(job_id, part, body)
