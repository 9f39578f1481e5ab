"""The Celery queue between the indexer and its workers.

A message names a part and carries nothing else. The ledger decides what it is worth: a
message that comes twice or late finds the part done, and one that is lost is sent again.
"""

import asyncio
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from opentelemetry.trace import SpanKind
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.common.errors import QueueUnavailable
from services.common.tracing import carry, span

PLAN_TASK = "xunwen.index.plan"
PART_TASK = "xunwen.index.part"

_STEPS = [0, 3, 6, 9]
"""Priorities that kombu keeps apart on Redis, each its own list; 0 is served first."""
_SEPARATOR = "\x06\x16"
_REDELIVER_SECONDS = 600
"""After which Redis hands an unacknowledged message out again; the ledger is much faster."""


def celery_app(broker_url: str, queue: str) -> Celery:
    """Connects at the first message. Results are recorded by the ledger, not by Celery."""
    app = Celery("xunwen-indexer", broker=broker_url)
    app.conf.update(
        task_default_queue=queue,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": _REDELIVER_SECONDS,
            "queue_order_strategy": "priority",
            "priority_steps": _STEPS,
            "sep": _SEPARATOR,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "retry_on_timeout": True,
            "max_retries": 1,
        },
    )
    return app


class TaskQueue:
    """The publishing side. Raises QueueUnavailable while Redis is away."""

    def __init__(self, app: Celery, redis: Redis, queue: str) -> None:
        self._app = app
        self._redis = redis
        self._queue = queue

    async def put_plan(self, job_id: str, *, priority: int) -> None:
        await self._send(PLAN_TASK, [job_id], priority)

    async def put_part(self, job_id: str, part: str, *, priority: int) -> None:
        await self._send(PART_TASK, [job_id, part], priority)

    async def depth(self) -> int:
        """Messages that no worker has taken."""
        try:
            lengths: list[int] = [
                await self._redis.llen(_list_name(self._queue, step)) for step in _STEPS
            ]
        except (RedisError, OSError) as error:
            raise QueueUnavailable(retry_after=2) from error
        return sum(lengths)

    def close(self) -> None:
        self._app.close()

    async def _send(self, task: str, args: list[Any], priority: int) -> None:
        headers: dict[str, str] = {}
        try:
            with span(f"send {task}", kind=SpanKind.PRODUCER, attributes={"job": args[0]}):
                carry(headers)
                await asyncio.to_thread(
                    self._app.send_task,
                    task,
                    args=args,
                    priority=priority,
                    retry=False,
                    headers=headers,
                )
        except (OperationalError, RedisError, OSError) as error:
            raise QueueUnavailable(retry_after=2) from error


def _list_name(queue: str, step: int) -> str:
    return f"{queue}{_SEPARATOR}{step}" if step else queue
