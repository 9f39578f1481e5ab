"""Errors as problem+json (RFC 9457): the one place where the error tree meets FastAPI."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, computed_field
from starlette.exceptions import HTTPException

from services.common.errors import (
    PROBLEM_TYPE,
    InvalidRequest,
    MalformedRequest,
    SearchError,
    UnsupportedFormat,
)
from services.common.request_context import request_id_var
from services.common.server.members import possible_members
from services.common.validation import reason_of

_MAX_ECHO = 200
"""Characters of an invalid value that a problem quotes."""
_PASSING = (429, 503)
"""Statuses of what passes by itself, whose answers always say when to try again."""
_RETRY_SECONDS = 1.0
"""Seconds that they say where the error tells none."""

logger = logging.getLogger(__name__)


class ErrorMember(BaseModel):
    """An error as OpenAI's API tells it; several of its clients read nothing else."""

    message: str
    type: str
    code: str
    param: str | None = Field(description="Always null: `message` names the member")


class Problem(BaseModel):
    """The body of every error response."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="A stable name of the error, for programs")
    detail: str = Field(description="What is wrong and what to do about it, for people")
    request_id: str

    @computed_field(description="The same as `detail`; clients of Cohere look for it here")  # type: ignore[prop-decorator]
    @property
    def message(self) -> str:
        """The detail once more, where Cohere's clients look for it."""
        return self.detail

    @computed_field(description="The same again; clients of OpenAI look for it here")  # type: ignore[prop-decorator]
    @property
    def error(self) -> ErrorMember:
        """The detail and the code once more, where OpenAI's clients look for them."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return ErrorMember(message=self.detail, type=kind, code=self.code, param=None)


def problem_response(error: SearchError, headers: Mapping[str, str] | None = None) -> Response:
    """The response that reports `error`, with `headers` in addition to its own."""
    problem = Problem(
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        request_id=request_id_var.get(),
        **error.extra,
    )
    out = dict(headers or {})
    again = error.retry_after
    if again is None and error.status in _PASSING:
        again = _RETRY_SECONDS
    if again is not None:
        out["Retry-After"] = str(max(1, math.ceil(again)))
    if error.status == 401:
        out["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.model_dump(), status_code=error.status, media_type=PROBLEM_TYPE, headers=out
    )


def _validation_error(request: Request, exc: RequestValidationError) -> SearchError:
    errors: list[dict[str, Any]] = []
    for item in exc.errors():
        where = ".".join(str(part) for part in item["loc"] if part != "body")
        if item["type"] == "json_invalid":
            reason = item.get("ctx", {}).get("error", "it is not JSON")
            return MalformedRequest(f"The body is not valid JSON: {reason}")
        if item["loc"] == ("body",) and isinstance(item.get("input"), bytes):
            return UnsupportedFormat(
                "The body is not declared as JSON; send it with the header"
                " `Content-Type: application/json`."
            )
        given = jsonable_encoder(item.get("input"), custom_encoder={bytes: lambda _: "<bytes>"})
        errors.append(
            {
                "field": where or "body",
                "message": reason_of(item, possible_members(request, item["loc"])),
                "given": _printable(given),
            }
        )
    first = errors[0]
    detail = f"{first['field']}: {first['message']}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more, see `errors`)"
    return InvalidRequest(detail, extra={"errors": errors})


def _printable(given: object) -> str:
    """An invalid value as a short text; half a character (a lone surrogate) becomes `?`."""
    return str(given)[:_MAX_ECHO].encode(errors="replace").decode()


def install_problem_handlers(app: FastAPI) -> None:
    """Makes `app` report the error tree, FastAPI's own errors and unknown routes as problems."""

    @app.exception_handler(SearchError)
    async def _search_error(_request: Request, exc: SearchError) -> Response:
        if exc.status >= 500:
            logger.warning("a request failed", extra={"code": exc.code, "detail": exc.detail})
        return problem_response(exc)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, exc: RequestValidationError) -> Response:
        return problem_response(_validation_error(request, exc))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, exc: HTTPException) -> Response:
        codes = {404: "not_found", 405: "method_not_allowed", 400: "malformed_request"}
        details = {
            404: f"There is no {request.method} {request.url.path}; see /docs for the API.",
            405: f"{request.method} is not possible on {request.url.path}; see /docs for the API.",
            400: "The request cannot be read; check its body and content type.",
        }
        problem = Problem(
            title=str(exc.detail),
            status=exc.status_code,
            code=codes.get(exc.status_code, "http_error"),
            detail=details.get(exc.status_code, str(exc.detail)),
            request_id=request_id_var.get(),
        )
        return JSONResponse(
            problem.model_dump(),
            status_code=exc.status_code,
            media_type=PROBLEM_TYPE,
            headers=dict(exc.headers or {}),
        )
