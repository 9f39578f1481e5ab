"""How a worker talks to the indexer: synchronous, patient, cut off only by a lost lease."""

import logging
import threading
import time
from typing import Any

import httpx
from pydantic import BaseModel

from services.common.errors import SearchError, Unavailable, error_for
from services.common.request_context import INTERNAL_TOKEN_HEADER
from services.common.tracing import carry
from services.indexer.jobs.ledger import LeaseLost
from services.indexer.work.wire import Claim, Failure, Granted, Heartbeat, Planned, Renewal

_PATIENCE_SECONDS = 600.0
"""How long a finished part waits for an indexer or an index that is away."""
_LONGEST_PAUSE = 5.0

logger = logging.getLogger(__name__)


class IndexerClient:
    """Thread-safe. Raises LeaseLost, Unavailable after long patience, other SearchErrors."""

    def __init__(self, url: str, worker: str, token: str | None) -> None:
        headers = {INTERNAL_TOKEN_HEADER: token} if token else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=httpx.Timeout(120, connect=2)
        )
        self.worker = worker
        self.stopping = threading.Event()
        """Set when the worker is to end: then nothing waits for a service that is away."""

    def close(self) -> None:
        self._http.close()

    def heartbeat(self) -> None:
        self._post("/work/heartbeat", Heartbeat(worker=self.worker), patience=0)

    def claim(self, job: str, part: str, encoder: str) -> Granted:
        body = Claim(worker=self.worker, encoder=encoder)
        response = self._post(f"/work/{job}/{part}/claim", body, patience=30)
        return Granted.model_validate_json(response.content)

    def renew(self, job: str, part: str, token: str, read: int = 0) -> None:
        body = Renewal(worker=self.worker, token=token, read=read)
        self._post(f"/work/{job}/{part}/renew", body, patience=0)

    def release(self, job: str, part: str, token: str) -> None:
        body = Renewal(worker=self.worker, token=token)
        self._post(f"/work/{job}/{part}/release", body, patience=0)

    def failed(self, job: str, part: str, token: str, reason: str) -> None:
        self._post(f"/work/{job}/{part}/failure", Failure(token=token, reason=reason))

    def planned(self, job: str, planned: Planned) -> None:
        self._post(f"/work/{job}/planned", planned, params={"worker": self.worker})

    def rows(self, job: str, part: str, token: str, content: bytes) -> None:
        params = {"token": token, "worker": self.worker}
        self._post(f"/work/{job}/{part}/rows", content, params=params)

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
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "", "The indexer failed."
    if code in (LeaseLost.code, "job_not_found"):
        return LeaseLost(detail)
    if response.status_code >= 500:
        after = response.headers.get("retry-after", "")
        return Unavailable(detail, retry_after=float(after) if after.isdigit() else None)
    return error_for(code, response.status_code, detail)
