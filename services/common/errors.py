"""The errors of the system, as one tree. Each class knows its HTTP status and its stable code.

SearchError                     500  internal
  InvalidRequest                422  invalid_request
    MalformedRequest            400  malformed_request
    RequestTimeout              408  request_timeout
    InvalidFilter               422  invalid_filter
  Unauthenticated               401  unauthenticated
  Forbidden                     403  forbidden
  NotFound                      404  not_found
    CollectionNotFound          404  collection_not_found
    DocumentNotFound            404  document_not_found
    OriginalNotFound            404  original_not_found
    JobNotFound                 404  job_not_found
    CursorExpired               404  cursor_expired
  Conflict                      409  conflict
    CollectionExists            409  collection_exists
    EncoderMismatch             409  encoder_mismatch
    IdempotencyConflict         409  idempotency_conflict
    LeaseLost                   409  lease_lost
  PayloadTooLarge               413  payload_too_large
  UnsupportedFormat             415  unsupported_format
  RateLimited                   429  rate_limited
  HeadTooLarge                  431  head_too_large
  Unavailable                   503  unavailable
    IndexUnavailable            503  index_unavailable
    ModelUnavailable            503  model_unavailable
    QueueUnavailable            503  queue_unavailable
    ServiceUnavailable          503  service_unavailable
    Overloaded                  503  overloaded
  DeadlineExceeded              504  deadline_exceeded
  StorageDamaged                500  storage_damaged
  StartFailed                   500  start_failed
    ModelInvalid                500  model_invalid
    DictionaryInvalid           500  dictionary_invalid

Adapters translate every vendor exception into this tree, and one handler maps the tree to
problem+json. A `detail` is written for the caller: it says what is wrong and what to do.
A test holds the drawing to the classes.
"""

from typing import Any, ClassVar

PROBLEM_TYPE = "application/problem+json"
"""Media type of the answers that report these errors."""


class SearchError(Exception):
    """Base of all errors that may reach a client.

    `detail` is shown to the client; empty, the class's title stands for it. `retry_after` is the
    number of seconds after which a retry makes sense; it becomes the Retry-After header. `extra`
    holds further members of the problem document, such as `errors` with one entry per field.
    """

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
        self.extra = extra or {}


class InvalidRequest(SearchError):
    """The request can be read, and something in it is not allowed."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class MalformedRequest(InvalidRequest):
    """The request cannot be read at all, such as a body that is no JSON."""

    status, code, title = 400, "malformed_request", "The request cannot be read"


class RequestTimeout(InvalidRequest):
    """The body did not arrive in time."""

    status, code, title = 408, "request_timeout", "The request came too slowly"


class InvalidFilter(InvalidRequest):
    """A filter names an operator or a value that does not exist."""

    code, title = "invalid_filter", "The filter is not valid"


class Unauthenticated(SearchError):
    """The request carries no API key, or one that is not known."""

    status, code, title = 401, "unauthenticated", "An API key is needed"


class Forbidden(SearchError):
    """The API key does not allow this call, or the settings of the operator do not."""

    status, code, title = 403, "forbidden", "This is not allowed"


class NotFound(SearchError):
    """The address names nothing that exists."""

    status, code, title = 404, "not_found", "There is no such thing"


class CollectionNotFound(NotFound):
    """There is no such collection, or the API key does not see it."""

    code, title = "collection_not_found", "There is no such collection"


class DocumentNotFound(NotFound):
    """The collection holds no document of this id."""

    code, title = "document_not_found", "There is no such document"


class OriginalNotFound(NotFound):
    """The document is there, but no original of it is kept."""

    code, title = "original_not_found", "There is no original of the document"


class JobNotFound(NotFound):
    """There is no job of this id, or it was removed after its retention."""

    code, title = "job_not_found", "There is no such job"


class CursorExpired(NotFound):
    """The order that a cursor follows is no longer kept."""

    code = "cursor_expired"
    title = "The pages of this search are no longer kept; begin again with the cursor `*`"


class Conflict(SearchError):
    """The request is valid and cannot be carried out in the present state."""

    status, code, title = 409, "conflict", "The request conflicts with the present state"


class CollectionExists(Conflict):
    """A collection of this name exists already."""

    code, title = "collection_exists", "The collection exists already"


class EncoderMismatch(Conflict):
    """The collection was filled by another encoder than the one that is to read or write it."""

    code, title = "encoder_mismatch", "The collection was filled by another encoder"


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key was sent before with another input or other options."""

    code, title = "idempotency_conflict", "The idempotency key was used for another request"


class LeaseLost(Conflict):
    """The part was given to another worker, or its job has ended; the work is discarded."""

    code, title = "lease_lost", "The lease is lost"


class PayloadTooLarge(SearchError):
    """The body is larger than a limit, which the detail names."""

    status, code, title = 413, "payload_too_large", "The body is too large"


class UnsupportedFormat(SearchError):
    """The media type, file format or compression is not supported."""

    status, code, title = 415, "unsupported_format", "The format is not supported"


class RateLimited(SearchError):
    """The API key has used up its rate."""

    status, code, title = 429, "rate_limited", "Too many requests"


class HeadTooLarge(SearchError):
    """Address and headers of the request are larger than the limit that the detail names."""

    status, code, title = 431, "head_too_large", "Address or headers are too large"


class Unavailable(SearchError):
    """Something that the answer needs does not answer at present."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"


class IndexUnavailable(Unavailable):
    """Milvus does not answer, or reports that it cannot."""

    code, title = "index_unavailable", "The index is not available"


class ModelUnavailable(Unavailable):
    """The model is loaded and cannot compute at present."""

    code, title = "model_unavailable", "The model is not available"


class QueueUnavailable(Unavailable):
    """The broker of the job queue does not answer."""

    code, title = "queue_unavailable", "The job queue is not available"


class ServiceUnavailable(Unavailable):
    """Another service does not answer, or its circuit breaker is open."""

    code, title = "service_unavailable", "A service of the cascade is not available"


class Overloaded(Unavailable):
    """Too many requests wait already; this one was refused at once."""

    code, title = "overloaded", "Too much load"


class DeadlineExceeded(SearchError):
    """The time budget of the request ran out."""

    status, code, title = 504, "deadline_exceeded", "The time budget ran out"


class StorageDamaged(SearchError):
    """Something that is stored beside the documents cannot be read; it stays until the operator or
    the owner of the collection does what the detail says."""

    code, title = "storage_damaged", "Something that is stored is damaged"


class StartFailed(SearchError):
    """The process cannot serve; raised before it listens, so no client ever sees it."""

    code, title = "start_failed", "The service cannot start"


class ModelInvalid(StartFailed):
    """A model directory cannot be served."""

    code, title = "model_invalid", "The model directory is not valid"


class DictionaryInvalid(StartFailed):
    """A user dictionary cannot be read."""

    code, title = "dictionary_invalid", "The user dictionary is not valid"
