"""The client's errors.

    XunwenError
    ├── ApiError            the server answered with a problem: status, code, detail
    └── ConnectionFailed    no answer came: nobody is there, or the connection broke

XunwenError itself is raised for arguments that cannot be sent: an impossible id, an unreadable
file.
"""

from typing import Any

import httpx


class XunwenError(Exception):
    """Base of all errors that the client raises. It is raised itself for arguments that cannot be
    sent."""


class ConnectionFailed(XunwenError):
    """No answer came, also after the retries: nobody is there, the connection broke, or the
    gateway's certificate is not trusted."""


class ApiError(XunwenError):
    """The server refused or failed; `code` is stable, `detail` is for people."""

    def __init__(self, status: int, code: str, detail: str, request_id: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id

    @classmethod
    def of(cls, response: httpx.Response) -> "ApiError":
        """The error for an answer whose body has been read, also for one that is not Xunwen's."""
        try:
            problem: Any = response.json()
            return cls(
                response.status_code,
                str(problem["code"]),
                str(problem["detail"]),
                str(problem.get("request_id", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(
                response.status_code,
                "http_error",
                f"The server answered {response.status_code} {response.reason_phrase}, not as"
                " Xunwen answers; check the address.",
            )
