"""Work that goes on beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

logger = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """`work` in a task while the block runs. A bug in it is logged, and it begins again."""

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
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
