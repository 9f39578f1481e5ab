"""The errors of the system, one tree. Each class knows its HTTP status and its stable code.

SearchError (500 internal)
├── InvalidRequest (422 invalid_request)      ├── Conflict (409 conflict)
│   ├── MalformedRequest (400 malformed)      │   ├── CollectionExists
│   ├── RequestTimeout (408)                  │   ├── EncoderMismatch
│   └── InvalidFilter                         │   └── IdempotencyConflict
├── Unauthenticated (401)                     │
├── Forbidden (403)                           ├── PayloadTooLarge (413)
├── NotFound (404)                            ├── UnsupportedFormat (415)
│   ├── CollectionNotFound                    ├── RateLimited (429)
│   ├── DocumentNotFound                      ├── Unavailable (503)
│   └── JobNotFound                           │   ├── IndexUnavailable, ModelUnavailable,
├── ModelInvalid (500, at start-up only)      │   │   QueueUnavailable, ServiceUnavailable
└── DeadlineExceeded (504)                    │   └── Overloaded

Adapters translate every vendor exception into this tree; one handler maps the tree to
problem+json. A `detail` is written for the caller: what is wrong and what to do.
"""

from collections.abc import Iterator
from typing import Any, ClassVar


class SearchError(Exception):
    """Base of all errors that may reach a client."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        """Seconds after which a retry makes sense; becomes the Retry-After header."""
        self.extra = extra or {}
        """Further members of the problem document, such as `errors` per field."""


class InvalidRequest(SearchError):
    status, code, title = 422, "invalid_request", "The request is not valid"


class MalformedRequest(InvalidRequest):
    status, code, title = 400, "malformed_request", "The request cannot be read"


class RequestTimeout(InvalidRequest):
    status, code, title = 408, "request_timeout", "The request came too slowly"


class InvalidFilter(InvalidRequest):
    code, title = "invalid_filter", "The filter is not valid"


class Unauthenticated(SearchError):
    status, code, title = 401, "unauthenticated", "An API key is needed"


class Forbidden(SearchError):
    status, code, title = 403, "forbidden", "The API key does not allow this"


class NotFound(SearchError):
    status, code, title = 404, "not_found", "There is no such thing"


class CollectionNotFound(NotFound):
    code, title = "collection_not_found", "There is no such collection"


class DocumentNotFound(NotFound):
    code, title = "document_not_found", "There is no such document"


class JobNotFound(NotFound):
    code, title = "job_not_found", "There is no such job"


class Conflict(SearchError):
    status, code, title = 409, "conflict", "The request conflicts with the present state"


class CollectionExists(Conflict):
    code, title = "collection_exists", "The collection exists already"


class EncoderMismatch(Conflict):
    code, title = "encoder_mismatch", "The collection was filled by another encoder"


class IdempotencyConflict(Conflict):
    code, title = "idempotency_conflict", "The idempotency key was used for another request"


class PayloadTooLarge(SearchError):
    status, code, title = 413, "payload_too_large", "The body is too large"


class UnsupportedFormat(SearchError):
    status, code, title = 415, "unsupported_format", "The format is not supported"


class RateLimited(SearchError):
    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(SearchError):
    status, code, title = 503, "unavailable", "Temporarily unavailable"


class IndexUnavailable(Unavailable):
    code, title = "index_unavailable", "The index is not available"


class ModelUnavailable(Unavailable):
    code, title = "model_unavailable", "The model is not available"


class QueueUnavailable(Unavailable):
    code, title = "queue_unavailable", "The job queue is not available"


class ServiceUnavailable(Unavailable):
    code, title = "service_unavailable", "A service of the cascade is not available"


class Overloaded(Unavailable):
    code, title = "overloaded", "Too much load"


class DeadlineExceeded(SearchError):
    status, code, title = 504, "deadline_exceeded", "The time budget ran out"


class ModelInvalid(SearchError):
    """A model directory that cannot be served; raised at start-up, before any request."""

    code, title = "model_invalid", "The model directory is not valid"


class DictionaryInvalid(SearchError):
    """A user dictionary that cannot be read; raised at start-up, before any request."""

    code, title = "dictionary_invalid", "The user dictionary is not valid"


def _tree(cls: type[SearchError]) -> Iterator[type[SearchError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


def error_for(code: str, status: int, detail: str, retry_after: float | None = None) -> SearchError:
    """The error that another service reported: by its code, else the nearest by status."""
    for cls in _tree(SearchError):
        if cls.code == code:
            return cls(detail, retry_after=retry_after)
    for cls in _tree(SearchError):
        if cls.status == status:
            return cls(detail, retry_after=retry_after)
    return InvalidRequest(detail) if 400 <= status < 500 else Unavailable(detail)
