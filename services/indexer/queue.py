"""The Celery queue between the indexer and its workers.

A message names a part and carries nothing else. A message that comes twice or late finds the
part done in the ledger, and one that is lost is sent again.
"""

import asyncio
from typing import Any
from urllib.parse import quote

from celery import Celery
from kombu.exceptions import OperationalError
from opentelemetry.trace import SpanKind
from redis.asyncio import Redis

from services.common.errors import QueueUnavailable
from services.common.redis.address import RedisAddress, RedisKind
from services.common.redis.client import FAILURES, of_another_type
from services.common.telemetry.tracing import carry, span
from services.indexer.broker import use_transports

PLAN_TASK = "xunwen.index.plan"
PART_TASK = "xunwen.index.part"

_STEPS = [0, 3, 6, 9]
"""Priorities, for each of which kombu keeps a list in Redis; 0 is served first."""
_SEPARATOR = "\x06\x16"
_CONNECT_SECONDS = 2
_REDELIVER_SECONDS = 600
"""Seconds after which Redis hands out a message again that was not acknowledged. The ledger, with
its leases, is much faster."""


def celery_app(broker: RedisAddress, queue: str) -> Celery:
    """A Celery application, which connects at its first message and keeps no results."""
    tls = broker.tls.options() if broker.tls else None
    sentinel: dict[str, Any] = {}
    if broker.kind is RedisKind.SENTINEL:
        sentinel = {"master_name": broker.master, "sentinel_kwargs": _sentinel_options(broker)}
    use_transports()
    app = Celery("xunwen-indexer", broker=_broker_url(broker))
    app.conf.update(
        broker_use_ssl=tls,
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
            "socket_connect_timeout": _CONNECT_SECONDS,
            "retry_on_timeout": True,
            "max_retries": 1,
            **sentinel,
        },
    )
    return app


def _broker_url(broker: RedisAddress) -> str:
    """The address as kombu writes it; each sentinel carries all that is known of the master."""
    scheme = "sentinel" if broker.kind is RedisKind.SENTINEL else "redis"
    secret = quote(broker.username or "", safe="")
    if broker.password:
        secret += f":{quote(broker.password, safe='')}"
    return ";".join(
        f"{scheme}://{secret}{'@' if secret else ''}{f'[{host}]' if ':' in host else host}:{port}"
        f"/{broker.database}"
        for host, port in broker.nodes
    )


def _sentinel_options(broker: RedisAddress) -> dict[str, Any]:
    return {
        "username": broker.sentinel_username,
        "password": broker.sentinel_password,
        "socket_timeout": _CONNECT_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        **({"ssl": True, **broker.tls.options()} if broker.tls else {}),
    }


class TaskQueue:
    """Sends messages to the workers. Raises QueueUnavailable while Redis is away."""

    def __init__(self, app: Celery, redis: Redis, queue: str) -> None:
        self._app = app
        self._redis = redis
        self._queue = queue

    async def put_plan(self, job_id: str, *, priority: int) -> None:
        """Sends the planning of a job."""
        await self._send(PLAN_TASK, [job_id], priority)

    async def put_part(self, job_id: str, part: str, *, priority: int) -> None:
        """Sends a part of a job."""
        await self._send(PART_TASK, [job_id, part], priority)

    async def depth(self) -> int:
        """Number of messages that no worker has taken."""
        try:
            lengths: list[int] = [
                await self._redis.llen(_list_name(self._queue, step)) for step in _STEPS
            ]
        except FAILURES as error:
            if of_another_type(error):
                raise QueueUnavailable(
                    "Redis has something else than a queue under the queue's name; name another"
                    " one in XUNWEN_INDEXER_QUEUE, for the workers too.",
                    retry_after=2,
                ) from error
            raise QueueUnavailable(retry_after=2) from error
        return sum(lengths)

    def close(self) -> None:
        """Closes the connections to the broker."""
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
        except (OperationalError, *FAILURES) as error:
            raise QueueUnavailable(retry_after=2) from error


def _list_name(queue: str, step: int) -> str:
    return f"{queue}{_SEPARATOR}{step}" if step else queue
