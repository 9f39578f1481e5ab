"""Creates, starts and serves the application of every service."""

import math
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware

from services.common.errors import PROBLEM_TYPE, StartFailed
from services.common.server.connection import connection
from services.common.server.drain import DrainingServer, end_on_signals
from services.common.server.garbage import set_apart
from services.common.server.internal_calls import InternalCalls
from services.common.server.listening import listener
from services.common.server.middleware import RequestContextMiddleware
from services.common.server.probes import Check, probe_router
from services.common.server.problem import Problem, install_problem_handlers
from services.common.server.unknown_parameters import refuse_unknown
from services.common.settings import ServiceSettings, read_settings
from services.common.telemetry.logs import configure_logs
from services.common.telemetry.metrics import HttpMetrics
from services.common.telemetry.tracing import tracing

Resources = Mapping[str, Any]
"""Resources of a lifespan by name; routes get one by `resources.opened(name)`."""

Settings = TypeVar("Settings", bound=ServiceSettings)

_IDLE_SECONDS = 75
"""A kept connection may be idle for so long. It is more than the 60 seconds of the usual reverse
proxies and load balancers and the 5 of httpx: the side that sends requests has to give up first,
else a request may meet the close on its way and fail."""

Lifespan = Callable[[CollectorRegistry], AbstractAsyncContextManager[Resources]]
"""Opens a service's resources, and closes them when the service stops.

Three entries are not for routes; each maps the name of a dependency to its Check. `checks` decide
whether the service is ready. `optional_checks` are shown by /readyz and decide nothing.
`vital_checks` are about the process itself: if one fails, /livez fails, and the process has to be
restarted.
"""


def create_service_app(
    *,
    title: str,
    version: str,
    routers: list[APIRouter],
    lifespan: Lifespan,
    foreign_routers: Sequence[APIRouter] = (),
    internal: InternalCalls | None = None,
    layers: Sequence[Middleware] = (),
) -> FastAPI:
    """A FastAPI application with request context, problem+json, probes and metrics.

    `title` and `version` stand in its OpenAPI document. The routes of `routers` refuse query
    parameters that they do not have. `foreign_routers` speak the protocols of other services, whose
    clients may send parameters of their own; these are ignored, as those of probes are. With
    `internal` it answers only the calls of other services. `layers` are middleware between
    the request's context and the routes, the outermost first.
    """
    metrics = HttpMetrics(CollectorRegistry())
    checks: dict[str, Check] = {}
    optional_checks: dict[str, Check] = {}
    vital_checks: dict[str, Check] = {}

    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[Resources]:
        async with lifespan(metrics.registry) as resources:
            set_apart()
            checks.update(resources.get("checks", {}))
            optional_checks.update(resources.get("optional_checks", {}))
            vital_checks.update(resources.get("vital_checks", {}))
            yield {key: value for key, value in resources.items() if not key.endswith("checks")}

    app = FastAPI(
        title=title,
        version=version,
        lifespan=run,
        middleware=layers,
        # A wrong address is answered with 404. A redirect would lead to another route, since
        # `documents/` would become `documents`.
        redirect_slashes=False,
        # FastAPI's pages load scripts from another host. The gateway has a page of its own.
        docs_url=None,
        redoc_url=None,
        responses={
            "4XX": {
                "model": Problem,
                "content": {PROBLEM_TYPE: {}},
                "description": "A fault of the request",
            },
            "5XX": {
                "model": Problem,
                "content": {PROBLEM_TYPE: {}},
                "description": "A fault of the service",
            },
        },
    )
    install_problem_handlers(app)
    app.include_router(
        probe_router(metrics, lambda: checks, lambda: optional_checks, lambda: vital_checks)
    )
    for router in routers:
        app.include_router(router, dependencies=[Depends(refuse_unknown)])
    for router in foreign_routers:
        app.include_router(router)
    app.add_middleware(RequestContextMiddleware, metrics=metrics, internal=internal)
    return app


def start(service: str, kind: type[Settings], create: Callable[[Settings], FastAPI]) -> int:
    """Reads the settings of a service, creates its application, and serves it until it is ended.

    Returns the exit code of the process: 1, with one line on standard error, if the settings, a
    model or a dictionary cannot be used (`create` raises StartFailed) or the port is taken.
    """
    settings = read_settings(kind, service)
    try:
        app = create(settings)
    except StartFailed as error:
        sys.stderr.write(f"{service}: {error.detail}\n")
        return 1
    serve(app, settings, service)
    return 0


def serve(app: FastAPI, settings: ServiceSettings, service: str) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Exits 1 with one line if the port is taken."""
    configure_logs(service, settings.log_level)
    try:
        bound = listener(settings.host, settings.port)
    except StartFailed as error:
        sys.stderr.write(f"{service}: {error.detail}\n")
        raise SystemExit(1) from error
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        loop="uvloop",
        http=connection(settings.head_seconds),
        ws="none",
    )
    end_on_signals()
    with tracing(service, settings.trace_endpoint, settings.trace_sample_ratio):
        DrainingServer(config, app).run(sockets=[bound])
