"""Background work of the gateway: polling, flushing and warming beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.common.ending import ended

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0
"""Seconds of pause before failed work begins again."""


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `work` in a task while the block runs; an error is logged, and the work begins again."""

    async def forever() -> None:
        while True:
            try:
                await work()
            except Exception:
                logger.exception("background work failed")
            await asyncio.sleep(_AGAIN_SECONDS)

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        await ended([task])
