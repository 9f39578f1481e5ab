"""Connections of a real process: what was accepted is answered whole, under SIGTERM too, and a kept
connection outlives those that a caller's pool keeps."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx

from tests.servers import free_port

PROGRAM = Path(__file__).with_name("small_service.py")
ROOT = Path(__file__).parents[2]


@contextmanager
def small_service(
    log: Path | None = None, /, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running process of small_service.py, and its address; `log` is the file for its log."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SMALL_PORT": str(port), **settings}
    with nullcontext() if log is None else log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, PROGRAM], env=environment, stderr=errors)
    url = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/livez")
                break
            except httpx.ConnectError:
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait()


class Caller(threading.Thread):
    """Sends requests over one kept connection until an answer says to close it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.answers = 0
        self.failure = ""

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as http:
            while not self.failure:
                try:
                    answer = http.get("/slow")
                    assert answer.json() == {"text": "x" * 10_000}
                except (httpx.HTTPError, AssertionError) as error:
                    self.failure = f"after {self.answers} answers: {error!r}"
                    return
                self.answers += 1
                if answer.headers.get("connection") == "close":
                    return


def test_sigterm_under_load_loses_no_request() -> None:
    with small_service() as (process, url):
        callers = [Caller(url) for _ in range(8)]
        for caller in callers:
            caller.start()
        give_up = time.monotonic() + 30
        while any(caller.answers < 5 for caller in callers):
            assert time.monotonic() < give_up
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(15)
        assert [caller.failure for caller in callers] == [""] * 8
        assert process.wait(10) == 0


def test_a_long_request_is_finished() -> None:
    with small_service() as (process, url):
        answers: list[httpx.Response] = []
        caller = threading.Thread(
            target=lambda: answers.append(httpx.get(f"{url}/slow?seconds=2.5", timeout=10))
        )
        caller.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        caller.join(15)
        assert answers[0].status_code == 200
        assert process.wait(10) == 0


def test_an_idle_service_ends_at_once_and_with_0() -> None:
    with small_service() as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_connection_that_a_pool_keeps_is_still_open() -> None:
    with small_service() as (_, url):
        kept = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        for pause in (0, 6):  # httpx keeps an idle connection for 5 seconds
            time.sleep(pause)
            kept.request("GET", "/slow")  # raises RemoteDisconnected if the service has closed it
            assert kept.getresponse().read()
        kept.close()
