"""An index that asks for less load slows a job down and fails nothing."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pymilvus.exceptions import DataNotMatchException, MilvusException

from services.common.errors import IndexUnavailable, InvalidRequest, Overloaded, SearchError
from services.common.milvus import MilvusAddress, Missing, milvus_connection
from services.common.milvus.failures import NotEntered
from services.indexer.work.client import IndexerClient


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (MilvusException(8, "request is rejected by rate limiter"), Overloaded),
        (MilvusException(1, "quota: rate limit exceeded [rate=1]"), Overloaded),
        (MilvusException(1100, "invalid parameter: the length exceeds max length"), InvalidRequest),
        (DataNotMatchException(1, "a field is missing"), InvalidRequest),
        (MilvusException(2, "server unavailable at 10.0.0.1"), NotEntered),
        (MilvusException(5, "node offline at 10.0.0.1"), IndexUnavailable),
        (MilvusException(901, "search of collection papers: node not found"), IndexUnavailable),
        (MilvusException(500, "channel not found[channel=10.0.0.1]"), IndexUnavailable),
        (MilvusException(400, "replica not found[replica=3]"), IndexUnavailable),
        (MilvusException(600, "segment not found[segment=9]"), IndexUnavailable),
        (MilvusException(100, "collection not found[collection=papers]"), Missing),
        (MilvusException(1600, "alias not found[alias=papers]"), Missing),
        (MilvusException(1, "can't find collection: papers"), Missing),
        (MilvusException(1, "collection papers does not exist"), Missing),
        (MilvusException(65535, "describe: collection[id=7] not found"), Missing),
    ],
)
async def test_what_milvus_says_is_told_apart(
    error: MilvusException, meant: type[SearchError]
) -> None:
    async def fail(_: object) -> None:
        raise error

    async with milvus_connection(MilvusAddress("http://127.0.0.1:1")) as connection:
        with pytest.raises(meant) as raised:
            await connection.ask("write", fail, 1)
    assert type(raised.value) is meant
    assert "10.0.0.1" not in raised.value.detail
    if meant is InvalidRequest:
        assert "refuses what was sent to it (write)" in raised.value.detail


@contextmanager
def overloaded(times: int) -> Iterator[tuple[str, list[float]]]:
    """An indexer that refuses rows so many times before it takes them."""
    asked: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            asked.append(time.monotonic())
            refused = len(asked) <= times
            body = json.dumps({"code": "overloaded", "detail": "less load"}).encode()
            self.send_response(503 if refused else 204)
            if refused:
                self.send_header("retry-after", "1")
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            if refused:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not wanted in the output of tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_worker_waits_as_long_as_it_is_asked_to() -> None:
    with overloaded(2) as (url, asked):
        client = IndexerClient(url, "w", None)
        client.rows("job", "000000-0-1", "token", b"rows")
        client.close()
    assert len(asked) == 3
    assert all(later - earlier >= 0.9 for earlier, later in itertools.pairwise(asked))
