"""Logs as JSON lines on standard error; each line carries the id of its request."""

import logging

from pythonjsonlogger.json import JsonFormatter

from services.common.request_context import request_id_var
from services.common.telemetry.tracing import trace_id


class _RequestId(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id_var.get()
        if trace := trace_id():
            record.trace_id = trace
        return True


_LEAST = {
    # They log every call.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    # They log every damaged entry, which is among the errors of its job.
    "bibtexparser": logging.ERROR,
    "pylatexenc": logging.ERROR,
    # It logs a stack trace for each error, which we translate anyway.
    "pymilvus": logging.CRITICAL,
}
"""The lowest level that is written of some libraries."""


def configure_logs(service: str, level: str = "INFO") -> None:
    """Sends all loggers of the process, also those of libraries, through one JSON handler.

    `service` becomes a member of every line; `level` is the name of the lowest level written. Lines
    of libraries below INFO are never written, since some show whole requests with their
    signatures.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}{request_id}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
            json_ensure_ascii=False,
        )
    )
    handler.addFilter(_RequestId())
    lowest = logging.getLevelNamesMapping()[level]
    logging.basicConfig(level=max(lowest, logging.INFO), handlers=[handler], force=True)
    for name in ("services", "__main__"):
        logging.getLogger(name).setLevel(lowest)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        vendor = logging.getLogger(name)
        vendor.handlers.clear()
        # The middleware writes the line for each request.
        vendor.propagate = name != "uvicorn.access"
    for name, least in _LEAST.items():
        logging.getLogger(name).setLevel(least)
