"""The whole system as `xunwen up --detach` starts it, on free ports and data of its own."""

import os
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
from supervisor.xmlrpc import SupervisorTransport

from tests.waiting import eventually
from xunwen.embedded.settings import PORTS, EmbeddedSettings, last_settings, variable
from xunwen.embedded.supervision import Supervisor, socket_path

XUNWEN = Path(sys.executable).with_name("xunwen")
DATA = Path(__file__).parents[1] / "data"
PAPERS = DATA / "literature_papers.jsonl"
DOCUMENTS = 600
"""Of the stack that tests share."""
START_SECONDS = 300
BUDGET_MS = "20000"
"""Of a search that names none: on a busy machine too, what is tested is the whole cascade."""


class Stack:
    """A running system with sample documents in the collection `literature`."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.home = home
        self.env = env
        """In which `xunwen` finds it."""

    @property
    def settings(self) -> EmbeddedSettings:
        """Of the last start: each start takes other free ports."""
        return last_settings(EmbeddedSettings(home=self.home))

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    def xunwen(
        self, *words: str, seconds: float = START_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command of the command line against it, which may take so many seconds."""
        return subprocess.run(
            [XUNWEN, *words],
            env=self.env, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def pid_of(self, part: str) -> int:
        """0 while it does not run."""
        processes = Supervisor(self.settings).processes()
        return next(process.pid for process in processes if process.name == part)

    @contextmanager
    def without(self, part: str) -> Iterator[None]:
        """One part is stopped, and stays so, while the block runs."""
        self._supervisor("stopProcess", part)
        try:
            yield
        finally:
            self._supervisor("startProcess", part)
            self.await_ready()

    @contextmanager
    def held(self, part: str) -> Iterator[None]:
        """One part stands still while the block runs."""
        pid = self.pid_of(part)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def await_ready(self) -> None:
        """Until every part is, those too without which searches go on."""

        def ready() -> bool:
            checks = httpx.get(f"{self.url}/readyz").json()["checks"]
            return all(check["ok"] for check in checks.values())

        eventually(ready, seen=lambda: httpx.get(f"{self.url}/readyz").text)

    def await_suggestions(self, collection: str) -> None:
        """Until the suggestions of a collection are made. Each call waits two seconds for them."""
        asked = f"{self.url}/v1/collections/{collection}/suggestions?q=x"

        def made() -> bool:
            return bool(httpx.get(asked, timeout=60).raise_for_status().json()["complete"])

        eventually(made, START_SECONDS)

    def _supervisor(self, method: str, part: str) -> None:
        transport = SupervisorTransport(None, None, f"unix://{socket_path(self.settings)}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            getattr(proxy.supervisor, method)(part)


def first_papers(folder: Path, count: int) -> Path:
    """A file of so many of the sample's papers, to be indexed as the collection `literature`."""
    some = folder / PAPERS.name
    with PAPERS.open(encoding="utf-8") as papers:
        some.write_text("".join(islice(papers, count)), encoding="utf-8")
    return some


@contextmanager
def running_stack(folder: Path, *samples: Path, **settings: str) -> Iterator[Stack]:
    """Started, with the files `samples` indexed; stopped at the end. `folder` keeps its data.

    `settings` are the services' own, `rank_keep` for XUNWEN_RANK_KEEP.
    """
    home, sample = folder / "home", folder / "sample"
    sample.mkdir()
    for path in samples:
        (sample / path.name).symlink_to(path)
    env = {**os.environ, **{variable(port): "0" for port in PORTS}}
    env |= {"XUNWEN_HOME": str(home), "XUNWEN_SAMPLE": str(sample)}
    env["XUNWEN_GATEWAY_BUDGET_MS"] = BUDGET_MS
    env |= {variable(name): value for name, value in settings.items()}
    stack = Stack(home, env)
    try:
        up = stack.xunwen("up", "--detach")
        if up.returncode:
            raise RuntimeError(f"xunwen up failed:\n{up.stdout}{up.stderr}")
        yield stack
    finally:
        stack.xunwen("down")
