"""A service as small as one can be, run as a process by the tests of draining and tracing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic_settings import SettingsConfigDict

from services.common.app import create_service_app, serve
from services.common.errors import NotFound
from services.common.service_client import ServiceClient
from services.common.settings import ServiceSettings, read_settings
from services.common.stopwatch import Stopwatch

router = APIRouter()


class SmallSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SMALL_", frozen=True)


class Said(BaseModel):
    text: str


@router.get("/slow")
async def slow(seconds: float = 0.02) -> Said:
    await asyncio.sleep(seconds)
    return Said(text="x" * 10_000)


@router.get("/outer")
async def outer(request: Request) -> Said:
    itself: ServiceClient = request.state.itself
    watch = Stopwatch()
    with watch.stage("ask"):
        answer = await itself.ask("GET", "/slow", Said)
    try:
        await itself.ask("GET", "/missing", Said)
    except NotFound:
        return answer
    raise AssertionError("there is no /missing")


def main() -> None:
    settings = read_settings(SmallSettings, "small")

    @asynccontextmanager
    async def lifespan(registry: CollectorRegistry) -> AsyncIterator[Mapping[str, Any]]:
        url = f"http://127.0.0.1:{settings.port}"
        async with ServiceClient("itself", url, timeout=5) as itself:
            yield {"itself": itself}

    app = create_service_app(title="small", version="0", routers=[router], lifespan=lifespan)
    serve(app, settings, "small")


if __name__ == "__main__":
    main()
