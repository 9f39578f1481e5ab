"""The jobs of the launcher can be ended by a signal at any time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from xunwen.embedded.errors import EmbeddedError
from xunwen.embedded.launcher import _index
from xunwen.embedded.progress import ProgressDisplay
from xunwen.embedded.settings import EmbeddedSettings
from xunwen.embedded.stopping import StopSignals

JOB = (
    b'{"id": "j1", "collection": "literature", "mode": "upsert", "format": "jsonl",'
    b' "state": "running", "counts": {}, "created_at": "2026-01-01T00:00:00Z"}'
)
PART_SECONDS = 8.0
"""Time in which a job does not move, since a part is encoded."""


@contextmanager
def busy_gateway() -> Iterator[int]:
    """The port of a gateway with a job that does not move for a while."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(JOB if self.path.endswith("j1") else b": still there\n\n")
            if self.path.endswith("events"):
                ended.wait(PART_SECONDS)

        def log_message(self, *args: object) -> None:
            """Nothing: the test looks at what is raised."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_signal_is_heard_while_a_part_is_encoded(settings: EmbeddedSettings) -> None:
    (settings.home / "sample.json").write_text('{"job_id": "j1"}')
    stop = StopSignals()
    threading.Timer(0.3, setattr, (stop, "received", True)).start()
    with busy_gateway() as port:
        served = settings.model_copy(update={"gateway_port": port})
        started = time.monotonic()
        with pytest.raises(EmbeddedError, match="go on at the next start"):
            _index(served, "key", ProgressDisplay(Console()), stop, sample=True)
        assert time.monotonic() - started < PART_SECONDS / 2
