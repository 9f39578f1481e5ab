"""The routes for liveness, readiness and metrics, which every service has."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.common.errors import SearchError
from services.common.telemetry.metrics import HttpMetrics

Check = Callable[[], Awaitable[None]]
"""A check of a dependency: it returns if the dependency works, and otherwise raises a SearchError
whose detail says what is wrong."""

_CHECK_SECONDS = 2.0
"""Seconds after which a check that has not ended counts as failed."""


class CheckResult(BaseModel):
    """The outcome of one check of readiness."""

    ok: bool
    detail: str = ""
    required: bool = Field(default=True, description="Whether the service is not ready without it")


class Readiness(BaseModel):
    """A service is ready if every required check is ok; the other checks are shown only."""

    ready: bool
    checks: dict[str, CheckResult]


async def run_checks(
    checks: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Readiness:
    """Runs all checks at the same time; each one may take two seconds."""

    async def one(check: Check, required: bool) -> CheckResult:
        detail = ""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await check()
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
    """The routes /livez, /readyz and /metrics.

    `checks`, `optional` and `vital` are called for each request, since a lifespan makes the checks
    only when the service starts.
    """
    router = APIRouter(tags=["probes"])

    @router.get(
        "/livez",
        summary="Whether the process is alive and not stuck",
        responses={503: {"model": Readiness, "description": "The process is stuck; restart it"}},
    )
    async def livez(response: Response) -> dict[str, str]:
        if (await run_checks(vital())).ready:
            return {"status": "alive"}
        response.status_code = 503
        return {"status": "stuck"}

    @router.get(
        "/readyz",
        summary="Whether everything that the service needs answers, by name",
        responses={
            503: {
                "model": Readiness,
                "description": "Something needed does not answer",
            }
        },
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
