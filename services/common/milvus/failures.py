"""The meaning of Milvus's errors: the only module that knows their codes and texts.

pymilvus raises `MilvusException` with a code of the server, a subclass of it for calls that the
client itself refuses, or the error of gRPC if the server is away or lacks a call.
"""

import re
from typing import Any

import grpc
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from services.common.errors import IndexUnavailable, InvalidRequest, Overloaded, SearchError

FAILURES = (MilvusException, grpc.RpcError)
"""Every class of error that a call of pymilvus raises."""

_RATE_LIMITED = 8
_MISSING_COLLECTION, _MISSING_ALIAS = 100, 1600
_MISSING_DATABASE = 800
_SAYS_MISSING = re.compile(
    r"(?:can't|can not) find (?:collection|alias)"
    r"|(?:collection|alias)\b[^:,]*(?:not found|not exist)"
)
"""What servers say of a missing collection or alias under other codes. That nodes, channels and
replicas are not found passes by itself."""
_NOT_LOADED = 101
_NOT_CONNECTED = 2
"""Code of the client's error when it could not connect, whatever the reason."""
_INVALID = 1100
_REFUSED_BY_CLIENT = (DataNotMatchException, ParamError)


class Missing(IndexUnavailable):
    """The server knows no such collection or alias."""


class NotEntered(IndexUnavailable):
    """The client could not connect: the server is away, or it refuses certificate or token."""


class NotLoaded(IndexUnavailable):
    """The collection is on disk and not in memory; it answers after a call of load."""


class NoWords(IndexUnavailable):
    """The collection never had a row, so the embedded engine cannot weigh words: it divides by the
    number of rows."""


class NoAnswerInTime(IndexUnavailable):
    """The server did not answer within the time of the call."""


def translated(error: Exception, what: str) -> SearchError:
    """The error of our own tree for one of `FAILURES`.

    `what` names the call, such as "search". The result is Missing, NotLoaded, NoWords, Overloaded,
    InvalidRequest (trying again would not help), NotEntered or IndexUnavailable.
    """
    code = getattr(error, "code", None)
    text = str(error).lower()
    if code == _MISSING_DATABASE or "database not found" in text:
        return IndexUnavailable(
            "The database of the index does not exist: create it in Milvus, or change the setting"
            " MILVUS_DATABASE.",
            retry_after=10,
        )
    if code in (_MISSING_COLLECTION, _MISSING_ALIAS) or _SAYS_MISSING.search(text):
        return Missing("The index does not know the collection.")
    if code == _NOT_LOADED or "not loaded" in text or "not been loaded" in text:
        return NotLoaded("The index is loading the collection; try again shortly.", retry_after=2)
    if "invalid sparse row: nan" in text:
        return NoWords("The collection has no words yet.", retry_after=2)
    if code == _RATE_LIMITED or "rate limit" in text:
        return Overloaded("The index asks for less load.", retry_after=2)
    if code == _INVALID or isinstance(error, _REFUSED_BY_CLIENT):
        return InvalidRequest(
            f"The index refuses what was sent to it ({what}); trying again does not help."
        )
    kind = NotEntered if code == _NOT_CONNECTED else IndexUnavailable
    return kind(f"The index did not carry out {what}; try again shortly.", retry_after=2)


def unimplemented(error: Exception) -> bool:
    """Whether the server does not have the call at all."""
    code: Any = getattr(error, "code", None)
    return isinstance(error, grpc.RpcError) and code() is grpc.StatusCode.UNIMPLEMENTED
