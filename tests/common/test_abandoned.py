"""A caller who hangs up: the work ends, the answer of others does not."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware import Middleware

from services.common.server.abandoned import DropAbandoned
from services.common.server.connection import connection
from services.common.server.listening import bind


class Said(BaseModel):
    seconds: float


class Work:
    def __init__(self) -> None:
        self.ended: list[str] = []
        self.app = FastAPI(middleware=[Middleware(DropAbandoned)])
        self.app.post("/work")(self.work)

    async def work(self, said: Said) -> Said:
        try:
            await asyncio.sleep(said.seconds)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("done")
        return said

    def wait_for(self, *ended: str) -> None:
        give_up = time.monotonic() + 10
        while self.ended != [*ended]:
            assert time.monotonic() < give_up, self.ended
            time.sleep(0.01)


@pytest.fixture
def served() -> Iterator[tuple[Work, int]]:
    work, listener = Work(), bind("127.0.0.1", 0)
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(work.app, log_level="error", http=connection(20)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    yield work, port
    server.should_exit = True
    thread.join()


def test_it_is_dropped_when_its_caller_goes(served: tuple[Work, int]) -> None:
    work, port = served
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"http://127.0.0.1:{port}/work", json={"seconds": 60}, timeout=0.5)
    work.wait_for("cancelled")
    answer = httpx.post(f"http://127.0.0.1:{port}/work", json={"seconds": 0})
    assert answer.json() == {"seconds": 0}
    work.wait_for("cancelled", "done")


def test_a_caller_who_goes_within_the_body_starts_nothing(served: tuple[Work, int]) -> None:
    work, port = served
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"POST /work HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n{")
    assert httpx.post(f"http://127.0.0.1:{port}/work", json={"seconds": 0}).status_code == 200
    work.wait_for("done")


def test_a_mistake_of_the_caller_is_answered(served: tuple[Work, int]) -> None:
    _, port = served
    assert httpx.post(f"http://127.0.0.1:{port}/work", json={}).status_code == 422
