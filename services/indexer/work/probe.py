"""A small HTTP server for a worker's /livez and /metrics; a worker serves nothing else."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


@contextmanager
def probe_server(
    listener: socket.socket, registry: CollectorRegistry, stuck: Callable[[], bool]
) -> Iterator[None]:
    """Serves on a bound socket until the block ends; /livez answers 503 once `stuck` returns
    true."""

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/livez":
                late = stuck()
                self._answer(503 if late else 200, b"stuck" if late else b"alive", "text/plain")
            elif self.path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            else:
                self._answer(404, b"", "text/plain")

        def _answer(self, status: int, body: bytes, media_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Writes nothing, since a probe comes every few seconds."""

    address = listener.getsockname()[:2]
    with ThreadingHTTPServer(address, Probe, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listener
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, name="probe", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
