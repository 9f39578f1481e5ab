"""A gateway that answers by script and remembers what it was asked. A real HTTP server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ScriptedGateway:
    """`script` gives, per request in order, status, body and headers; the last one repeats."""

    script: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer(self, status: int, body: Any, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append((status, body, named))

    def next(self) -> tuple[int, Any, dict[str, str]]:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def scripted_gateway() -> Iterator[ScriptedGateway]:
    gateway = ScriptedGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline:
                self.close_connection = True
                return
            if not self.parse_request():
                return
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            gateway.asked.append(Asked(self.command, self.path, headers, body))
            status, answer, extra = gateway.next()
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Nothing: the tests look at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def problem(status: int, code: str, detail: str) -> dict[str, object]:
    return {"status": status, "code": code, "detail": detail, "request_id": "r1", "title": "t"}


def job(state: str, indexed: int = 0, job_id: str = "j1") -> dict[str, object]:
    return {
        "id": job_id,
        "collection": "notes",
        "mode": "upsert",
        "format": "jsonl",
        "state": state,
        "counts": {"read": 2, "indexed": indexed, "rejected": 0, "deduplicated": 0},
        "total": 2,
        "created_at": "2026-01-01T00:00:00Z",
    }


ANSWER = {
    "query": "q",
    "hits": [{"id": "1", "score": 0.9, "title": "标题", "fields": {}, "scores": {"fine": 0.9}}],
    "stages": [{"name": "encode", "took_ms": 1.5}],
    "took_ms": 3.0,
    "member_of_a_newer_server": 1,
}
