"""Opens the connections of both clients, builds their requests, reads their answers and translates
their errors."""

import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.common.calls.addresses import is_http_address
from services.common.calls.certificates import trusted
from services.common.calls.proxies import asks_proxies
from xunwen.client.calls import Call, Text
from xunwen.client.errors import ApiError, ConnectionFailed, XunwenError

T = TypeVar("T", bound=BaseModel)
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

DEFAULT_URL = "http://127.0.0.1:8000"
PAUSE_SECONDS = 0.5
"""Seconds of pause before a broken stream of events is opened again."""
CROWDED_SECONDS = 5.0
"""Seconds of pause if the gateway follows too many jobs already to send the events of one more."""
_CONNECT_SECONDS = 5.0
"""Longest time to wait for a connection; a gateway that is there takes it in milliseconds."""
_LONGEST_SECONDS = 1_000_000.0
"""Longest time that an answer may take; sockets take no unbounded number."""
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")


def opened(kind: type[Http], url: str, api_key: str | None, timeout: float) -> Http:
    """An HTTP client for a gateway, which connects to nothing yet.

    Raises XunwenError for an address, an API key, a timeout, certificates or a proxy that is not
    possible.
    """
    arguments = _settings(url, api_key, timeout)
    try:
        return kind(**arguments)
    except ImportError as error:
        raise XunwenError(
            "The environment names a SOCKS proxy, which needs `pip install 'httpx[socks]'`; without"
            " it, name the gateway's host in NO_PROXY."
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise XunwenError(
            "The environment names a proxy that is none; correct ALL_PROXY, HTTP_PROXY and"
            " HTTPS_PROXY, or name the gateway's host in NO_PROXY."
        ) from error


def _settings(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    headers = {"user-agent": "xunwen-client"}
    key = (api_key or "").strip()
    if key:
        if not _HEADER_VALUE.fullmatch(key):
            raise XunwenError("The API key holds characters that no key has; copy it again.")
        headers["authorization"] = f"Bearer {key}"
    address = url.strip()
    if not is_http_address(address):
        raise XunwenError(f"{url[:200]!r} is no address of a gateway; write http://host:port.")
    if not isinstance(timeout, int | float) or not 0 < timeout <= _LONGEST_SECONDS:
        raise XunwenError(
            f"The timeout {timeout!r} is no number of seconds above 0 and up to"
            f" {_LONGEST_SECONDS:,.0f}."
        )
    return {
        "base_url": address,
        "headers": headers,
        "verify": _certificates(address),
        "trust_env": asks_proxies(address),
        "timeout": httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
    }


def _certificates(address: str) -> ssl.SSLContext:
    try:
        return trusted(address)
    except OSError as error:
        raise XunwenError(
            "SSL_CERT_FILE or SSL_CERT_DIR names no certificates; correct it or leave it out."
        ) from error


def arguments(call: Call[Any]) -> dict[str, Any]:
    """Arguments of httpx's `build_request`. Raises XunwenError for a body that is not JSON."""
    headers = dict(call.headers)
    content: bytes | None = None
    if call.json is not None:
        headers["content-type"] = "application/json"
        try:
            content = json.dumps(call.json, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise XunwenError(f"The call cannot be written as JSON: {error}.") from error
    for name, value in headers.items():
        if not _HEADER_VALUE.fullmatch(value):
            raise XunwenError(f"The {name} {value[:80]!r} holds characters that none can have.")
    try:
        params = httpx.QueryParams(dict(call.params))
        str(params).encode()
    except UnicodeError as error:
        raise XunwenError("A parameter holds half a character (a lone surrogate).") from error
    return {
        "method": call.method,
        "url": call.path,
        "params": params or None,
        "content": content,
        "headers": headers,
    }


def read(call: Call[T], response: httpx.Response) -> T:
    """The answer of a call.

    Raises ApiError for a problem, XunwenError for an answer that is not Xunwen's.
    """
    # /readyz answers 503 with a body that names the missing parts; for the client that is an
    # answer.
    readiness = call.path == "/readyz" and response.status_code == 503
    if not response.is_success and not readiness:
        raise ApiError.of(response)
    if issubclass(call.answer, Text):
        return call.answer(text=response.text)
    return parsed(call.answer, response.content or b"{}", f"{call.method} {call.path}")


def parsed(answer: type[T], content: bytes, call: str) -> T:
    """An answer, or a line of one, of the call with this name.

    Raises XunwenError if it is not Xunwen's.
    """
    try:
        return answer.model_validate_json(content)
    except ValidationError as error:
        raise XunwenError(
            f"{call} was answered in a form this client does not know;"
            " are client and server of the same version?"
        ) from error


def connection_failed(url: httpx.URL, error: httpx.HTTPError) -> ConnectionFailed:
    """The client's error for an exchange that httpx could not finish."""
    if isinstance(error, httpx.TimeoutException):
        return ConnectionFailed(f"{url} did not answer in time.")
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConnectionFailed(
                f"The certificate of {url} is not trusted: {cause.verify_message}. SSL_CERT_FILE"
                " names the certificates of an authority of your own."
            )
        if isinstance(cause, ssl.SSLError):
            return ConnectionFailed(
                f"{url} does not speak TLS as this machine does; is its address http://?"
            )
        if isinstance(cause, socket.gaierror):
            return ConnectionFailed(f"The name {url.host} is not known; correct the address {url}.")
    if not isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return ConnectionFailed(f"{url} broke off the connection before it had answered.")
    return ConnectionFailed(
        f"{url} does not answer; start it with `xunwen up`, or set XUNWEN_URL to its address."
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those by which it came about."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
