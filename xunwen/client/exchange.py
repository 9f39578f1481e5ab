"""What both clients do around an exchange: the connection's settings, the answer's reading."""

from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from xunwen.client.calls import Call
from xunwen.client.errors import ApiError, ConnectionFailed, XunwenError

T = TypeVar("T", bound=BaseModel)

DEFAULT_URL = "http://127.0.0.1:8000"
PAUSE_SECONDS = 0.5
"""Before a broken stream of events is opened again."""


def settings(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Arguments of httpx.Client and httpx.AsyncClient."""
    headers = {"user-agent": "xunwen-client"}
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    return {"base_url": url, "headers": headers, "timeout": httpx.Timeout(timeout, connect=5.0)}


def arguments(call: Call[Any]) -> dict[str, Any]:
    """Arguments of httpx's `request`."""
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.params) or None,
        "json": call.json,
        "headers": dict(call.headers),
    }


def read(call: Call[T], response: httpx.Response) -> T:
    """Raises ApiError for a problem, XunwenError for an answer that is not Xunwen's."""
    # /readyz says 503 with a body that tells what is away: that is an answer, not a failure.
    if response.is_error and not (call.path == "/readyz" and response.status_code == 503):
        raise ApiError.of(response)
    try:
        return call.answer.model_validate_json(response.content or b"{}")
    except ValidationError as error:
        raise XunwenError(
            f"{call.method} {call.path} was answered in a form this client does not know;"
            " are client and server of the same version?"
        ) from error


def connection_failed(url: httpx.URL, error: httpx.HTTPError) -> ConnectionFailed:
    if isinstance(error, httpx.TimeoutException):
        return ConnectionFailed(f"{url} did not answer in time.")
    return ConnectionFailed(
        f"{url} does not answer; start it with `xunwen up`, or set XUNWEN_URL to its address."
    )
