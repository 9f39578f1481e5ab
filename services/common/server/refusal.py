"""The answer to a request that cannot be read, and that no application sees therefore."""

import logging
from collections.abc import Iterable
from contextvars import copy_context

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from services.common.errors import SearchError
from services.common.request_context import REQUEST_ID_HEADER, accept_request_id, request_id_var
from services.common.server.problem import problem_response
from services.common.server.request_heads import Header

logger = logging.getLogger(__name__)


def refusal(fault: SearchError, headers: Iterable[Header]) -> bytes:
    """The whole response that reports `fault` as a problem, with `headers` before its own.

    It is the last one of its connection. The log has its request id.
    """
    own, body = copy_context().run(_problem, fault)
    lines = [b"%b: %b\r\n" % header for header in (*headers, *own, (b"connection", b"close"))]
    return b"".join([STATUS_LINE[fault.status], *lines, b"\r\n", body])


def _problem(fault: SearchError) -> tuple[list[Header], bytes]:
    request_id_var.set(accept_request_id(None))
    logger.warning("a request was refused", extra={"code": fault.code, "detail": fault.detail})
    answer = problem_response(fault, {REQUEST_ID_HEADER: request_id_var.get()})
    return answer.raw_headers, bytes(answer.body)
