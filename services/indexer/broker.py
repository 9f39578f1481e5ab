"""Celery's transport over Redis, made to go on after a broker that was lost in the middle of tasks.

kombu counts a message as being worked on until its acknowledgement has reached Redis. Where the
broker is lost while a worker has its hands full, no acknowledgement arrives: the worker then never
asks for another message, and so never notices that its connection is gone (kombu 5.7). Here the
place of a message is free once it has been worked on. A message whose acknowledgement was lost is
delivered again, and finds its part done in the ledger.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import Channel, QoS, SentinelChannel
from kombu.transport.redis import SentinelTransport as KombuSentinelTransport
from kombu.transport.redis import Transport as KombuTransport


class FreeingQoS(QoS):
    """Frees the place of a message, whether or not its acknowledgement arrives."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledges a message. Raises the client's errors."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Rejects a message. Raises the client's errors."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        finally:
            self._quick_ack(delivery_tag)


class _Channel(Channel):
    QoS = FreeingQoS


class _SentinelChannel(SentinelChannel):
    QoS = FreeingQoS


class RedisTransport(KombuTransport):
    """The transport of one server."""

    Channel = _Channel


class SentinelTransport(KombuSentinelTransport):
    """The transport of replicas behind Sentinel."""

    Channel = _SentinelChannel


def use_transports() -> None:
    """Lets addresses of this process mean these transports."""
    mine: dict[str, Any] = {"redis": RedisTransport, "sentinel": SentinelTransport}
    TRANSPORT_ALIASES.update(
        {scheme: f"{kind.__module__}:{kind.__name__}" for scheme, kind in mine.items()}
    )
