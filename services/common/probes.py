"""Liveness, readiness and metrics, the same in every service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.common.errors import SearchError
from services.common.metrics import HttpMetrics

Check = Callable[[], Awaitable[None]]
"""Returns when the dependency answers; raises a SearchError that says what is wrong."""

_CHECK_SECONDS = 2.0


class CheckResult(BaseModel):
    ok: bool
    detail: str = ""
    required: bool = Field(default=True, description="Without it the service is not ready")


class Readiness(BaseModel):
    """Ready when every required check is ok; the others say what is away."""

    ready: bool
    checks: dict[str, CheckResult]


async def run_checks(
    checks: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Readiness:
    """Runs all checks at the same time, each bounded to two seconds."""

    async def one(check: Check, required: bool) -> CheckResult:
        detail = ""
        try:
            await asyncio.wait_for(check(), _CHECK_SECONDS)
        except TimeoutError:
            detail = f"no answer within {_CHECK_SECONDS:g} s"
        except SearchError as error:
            detail = error.detail
        return CheckResult(ok=not detail, detail=detail, required=required)

    named = {name: (check, True) for name, check in checks.items()}
    named |= {name: (check, False) for name, check in (optional or {}).items()}
    results = await asyncio.gather(*(one(*check) for check in named.values()))
    return Readiness(
        ready=all(result.ok for result in results if result.required),
        checks=dict(zip(named, results, strict=True)),
    )


def probe_router(
    metrics: HttpMetrics,
    checks: Callable[[], Mapping[str, Check]],
    optional: Callable[[], Mapping[str, Check]],
    vital: Callable[[], Mapping[str, Check]],
) -> APIRouter:
    """Routes /livez, /readyz and /metrics. The checks are asked for at each call."""
    router = APIRouter(tags=["probes"])

    @router.get(
        "/livez",
        summary="Is the process alive, and not stuck",
        responses={503: {"model": Readiness, "description": "It is stuck: restart it"}},
    )
    async def livez(response: Response) -> dict[str, str]:
        if (await run_checks(vital())).ready:
            return {"status": "alive"}
        response.status_code = 503
        return {"status": "stuck"}

    @router.get(
        "/readyz",
        summary="Is everything needed at hand; names what is not",
        responses={503: {"model": Readiness, "description": "Something is away"}},
    )
    async def readyz(response: Response) -> Readiness:
        readiness = await run_checks(checks(), optional())
        if not readiness.ready:
            response.status_code = 503
        return readiness

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def render() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
