"""The Python client: typed, with retries, for scripts and services.

    from xunwen import Client

    with Client("http://127.0.0.1:8000") as client:
        for hit in client.search("中西方语言与文化的差异").hits:
            print(hit.score, hit.title)

`AsyncClient` has the same methods as coroutines and asynchronous iterators.
"""

from services.common.documents import Document
from services.common.wire.collections import Collection, DocumentsDeleted, DocumentWritten
from services.common.wire.jobs import Job, JobCounts, JobMode, JobState
from xunwen.client.answers import (
    BatchItem,
    Hit,
    Readiness,
    RejectedLine,
    RerankedDocument,
    SearchAnswer,
    SearchOptions,
)
from xunwen.client.asynchronous import AsyncClient
from xunwen.client.calls import NOT_GIVEN, NotGiven
from xunwen.client.errors import ApiError, ConnectionFailed, XunwenError
from xunwen.client.synchronous import Client

__all__ = [
    "NOT_GIVEN",
    "ApiError",
    "AsyncClient",
    "BatchItem",
    "Client",
    "Collection",
    "ConnectionFailed",
    "Document",
    "DocumentWritten",
    "DocumentsDeleted",
    "Hit",
    "Job",
    "JobCounts",
    "JobMode",
    "JobState",
    "NotGiven",
    "Readiness",
    "RejectedLine",
    "RerankedDocument",
    "SearchAnswer",
    "SearchOptions",
    "XunwenError",
]
