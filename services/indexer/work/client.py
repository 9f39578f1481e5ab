"""Synchronous client of the indexer: retries for ten minutes, stops when the lease is lost."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx
from pydantic import BaseModel

from services.common.calls.certificates import trusted
from services.common.calls.reported import reported_error
from services.common.errors import JobNotFound, LeaseLost, SearchError, Unavailable
from services.common.request_context import INTERNAL_TOKEN_HEADER
from services.common.telemetry.tracing import carry
from services.indexer.jobs.wire import (
    Claim,
    Failure,
    Granted,
    Heartbeat,
    Planned,
    Release,
    Renewal,
    StoredRows,
)

_PATIENCE_SECONDS = 600.0
"""Seconds for which the worker offers a finished part to an indexer or an index that is away."""
_LONGEST_PAUSE = 5.0
"""Longest pause in seconds between two tries of a call; the first pause takes 0.1 s, and each
further one is twice as long."""

logger = logging.getLogger(__name__)


class IndexerClient:
    """Calls of one worker to the indexer; thread-safe.

    Every method raises LeaseLost, Unavailable once its patience ends, and other SearchErrors that
    the indexer reports.
    """

    def __init__(self, url: str, worker: str, token: str | None) -> None:
        headers = {INTERNAL_TOKEN_HEADER: token} if token else {}
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            verify=trusted(url),
            trust_env=False,  # Calls between services ask no proxies.
            timeout=httpx.Timeout(120, connect=2),
        )
        self.worker = worker
        self.stopping = threading.Event()
        """Set when the worker is asked to end: from then on no call is repeated."""

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def heartbeat(self) -> None:
        """Sends a heartbeat of this worker, without repeating it."""
        self._post("/work/heartbeat", Heartbeat(worker=self.worker), patience=0)

    def claim(self, job: str, part: str, encoders: Sequence[str]) -> Granted:
        """Asks for the lease on a part. Raises EncoderMismatch too."""
        body = Claim(worker=self.worker, encoders=list(encoders))
        response = self._post(f"/work/{job}/{part}/claim", body, patience=30)
        return Granted.model_validate_json(response.content)

    def renew(self, job: str, part: str, token: str, read: int = 0) -> None:
        """Keeps a lease alive and reports the lines read; it is not repeated."""
        body = Renewal(worker=self.worker, token=token, read=read)
        self._post(f"/work/{job}/{part}/renew", body, patience=0)

    def release(self, job: str, part: str, token: str, reason: str = "") -> None:
        """Gives a part back, with a reason if something that it needs is away."""
        body = Release(token=token, reason=reason)
        self._post(f"/work/{job}/{part}/release", body, patience=0)

    def failed(self, job: str, part: str, token: str, reason: str) -> None:
        """Reports a failed attempt."""
        self._post(f"/work/{job}/{part}/failure", Failure(token=token, reason=reason))

    def planned(self, job: str, planned: Planned) -> None:
        """Sends a plan, or the reason why the input is unusable."""
        self._post(f"/work/{job}/planned", planned, params={"worker": self.worker})

    def rows(self, job: str, part: str, token: str, content: bytes) -> None:
        """Sends the rows of a part."""
        params = {"token": token, "worker": self.worker}
        self._post(f"/work/{job}/{part}/rows", content, params=params)

    def stored(self, job: str, part: str, stored: StoredRows) -> None:
        """Reports that the rows of a part are stored for an import."""
        self._post(f"/work/{job}/{part}/stored", stored)

    def _post(
        self,
        path: str,
        body: BaseModel | bytes,
        *,
        params: dict[str, str] | None = None,
        patience: float = _PATIENCE_SECONDS,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else body.model_dump_json().encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        give_up, pause = time.monotonic() + patience, 0.1
        while True:
            try:
                return self._once(path, content, kind, params)
            except Unavailable as error:
                left = give_up - time.monotonic()
                if left <= 0 or self.stopping.is_set():
                    raise
                wanted = error.retry_after or pause
                self.stopping.wait(min(wanted, left, _LONGEST_PAUSE))
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(
        self, path: str, content: bytes, kind: str, params: dict[str, Any] | None
    ) -> httpx.Response:
        headers = {"content-type": kind}
        carry(headers, alone=False)
        try:
            response = self._http.post(path, content=content, params=params, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable("The indexer does not answer.") from error
        if response.is_success:
            return response
        raise _reported(response)


def _reported(response: httpx.Response) -> SearchError:
    error = reported_error(response)
    if isinstance(error, JobNotFound):
        return LeaseLost(error.detail)
    if error.status >= 500 and error.code != SearchError.code:
        # An internal error arose from this very request, so sending it again would fail again.
        return Unavailable(error.detail, retry_after=error.retry_after)
    return error
