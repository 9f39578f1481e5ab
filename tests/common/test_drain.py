"""Connections of a real process: what was accepted is answered whole, under SIGTERM too, and a kept
connection outlives those that a caller's pool keeps."""

import http.client
import signal
import threading
import time

import httpx

from tests.common.running import small_service
from tests.waiting import eventually


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
        eventually(lambda: all(caller.answers >= 5 or caller.failure for caller in callers))
        process.send_signal(signal.SIGTERM)
        for caller in callers:
            caller.join(15)
        assert [caller.failure for caller in callers] == [""] * 8
        assert process.wait(10) == 0


def test_a_request_that_takes_longer_than_the_service_lingers_is_finished() -> None:
    with small_service() as (process, url):
        caller = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        caller.request("GET", "/slow?seconds=2")
        for _ in range(3):  # The loop of the service has read the request before these.
            httpx.get(f"{url}/livez").raise_for_status()
        process.send_signal(signal.SIGTERM)
        answer = caller.getresponse()
        assert answer.status == 200
        assert len(answer.read()) > 10_000
        caller.close()
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
