"""The scaffold of a service: one application factory and one way to serve it."""

import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.drain import DrainingServer, end_on_signals
from services.common.logs import configure_logs
from services.common.metrics import HttpMetrics
from services.common.middleware import RequestContextMiddleware
from services.common.probes import Check, probe_router
from services.common.problem import MEDIA_TYPE, Problem, install_problem_handlers
from services.common.settings import ServiceSettings
from services.common.slow_heads import impatient
from services.common.tracing import tracing

Resources = Mapping[str, Any]
"""What a lifespan opens; each entry becomes `request.state.<name>`."""

Lifespan = Callable[[CollectorRegistry], AbstractAsyncContextManager[Resources]]
"""Opens a service's resources.

`checks` and `optional_checks`, if present, map a dependency's name to its Check; without an
optional one the service is ready still, and /readyz names it. `vital_checks` are about the
process itself: where one fails, /livez does, and the process is to be restarted.
"""


def create_service_app(
    *,
    title: str,
    version: str,
    routers: list[APIRouter],
    lifespan: Lifespan,
    internal_token: str | None = None,
    layers: Sequence[Middleware] = (),
) -> FastAPI:
    """A FastAPI application with request context, problem+json, probes and metrics.

    `layers` lie between the request's context and the routes, the outermost first.
    """
    metrics = HttpMetrics(CollectorRegistry())
    checks: dict[str, Check] = {}
    optional_checks: dict[str, Check] = {}
    vital_checks: dict[str, Check] = {}

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[Resources]:
        async with lifespan(metrics.registry) as resources:
            checks.update(resources.get("checks", {}))
            optional_checks.update(resources.get("optional_checks", {}))
            vital_checks.update(resources.get("vital_checks", {}))
            yield {key: value for key, value in resources.items() if not key.endswith("checks")}

    app = FastAPI(
        title=title,
        version=version,
        lifespan=run,
        middleware=layers,
        responses={
            "4XX": {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": "Your side"},
            "5XX": {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": "Our side"},
        },
    )
    install_problem_handlers(app)
    app.include_router(
        probe_router(metrics, lambda: checks, lambda: optional_checks, lambda: vital_checks)
    )
    for router in routers:
        app.include_router(router)
    app.add_middleware(RequestContextMiddleware, metrics=metrics, internal_token=internal_token)
    return app


def bind(host: str, port: int) -> socket.socket:
    """A socket to listen on. Raises OSError when the address is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it on,
    # the body of an answer waits up to 40 ms for the acknowledgement of its head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: FastAPI, settings: ServiceSettings, service: str) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Exits 1 with one line if the port is taken."""
    configure_logs(service, settings.log_level)
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        reason = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        sys.stderr.write(f"{service}: {reason}\n")
        raise SystemExit(1) from error
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        server_header=False,
        http=impatient(settings.head_seconds),
    )
    end_on_signals()
    with tracing(service, settings.trace_endpoint, settings.trace_sample_ratio):
        DrainingServer(config, app).run(sockets=[listener])
