"""Milvus 2.3.5, the real standalone binary, as a stand-in for a cluster.

The package `milvus` carries the program compressed; it is unpacked once per machine. Its own
wrapper is not used: it moves ports after a restart, but not those of the etcd inside. The program
takes a lock of the whole machine, so one runs at a time.
"""

import lzma
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from services.common.milvus import MilvusAddress
from tests.servers import Server, free_port

_FIELD = re.compile(r"\{\{ *(\w+)(?:\((\w+)\))?(?:: *([^}]*?))? *\}\}")
_START_SECONDS = 120.0
_INTERVALS = {
    "PROXY_TIMETICKINTERVAL": "50",
    "QUERYCOORD_CHECKCHANNELINTERVAL": "100",
    "QUERYCOORD_CHECKSEGMENTINTERVAL": "100",
    "QUERYCOORD_DISTPULLINTERVAL": "100",
}
"""Milliseconds after which a read sees a write, and for which parts of the program wait for each
other; by default 200, 1000, 1000 and 500."""
BUCKET, ACCESS_KEY, SECRET_KEY = "a-bucket", "minioadmin", "minioadmin"
"""Bucket and keys with which the program enters an S3-compatible store."""


def available() -> bool:
    """Whether this platform has the package; it is built for x86-64 only."""
    return find_spec("milvus") is not None


@contextmanager
def milvus_standalone(
    directory: Path,
    address: MilvusAddress | None = None,
    objects: Server | None = None,
    **settings: str,
) -> Iterator[Server]:
    """A started server that answers; its data lie in `directory`, or those of collections in BUCKET
    of an S3-compatible store.

    `settings` are those of the package's template, such as `tls_mode`; `address` is how it is then
    entered, its URI apart.
    """
    programs = _unpacked()
    (directory / "configs").mkdir(parents=True)
    port = free_port()
    (directory / "configs" / "milvus.yaml").write_text(_config(directory, port, settings))
    (directory / "configs" / "glog.conf").write_text((_package() / "glog.conf").read_text())
    server = Server(
        f"http://127.0.0.1:{port}",
        port,
        [str(programs / "milvus"), "run", "standalone"],
        directory / "milvus.log",
        cwd=directory,
        env={
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(free_port()),
            "LD_LIBRARY_PATH": str(programs),
            **_INTERVALS,
            **(_remote(objects) if objects else {}),
        },
    )
    scheme = "https" if address and address.ca else "http"
    server.url = f"{scheme}://127.0.0.1:{port}"
    server.start()
    try:
        await_answers(server, replace(address or MilvusAddress(""), uri=server.url))
        yield server
    finally:
        server.kill()  # SIGTERM may abort it, and its data are thrown away


def await_answers(server: Server, address: MilvusAddress | None = None) -> None:
    """It listens long before it answers. Raises TimeoutError."""
    options = (address or MilvusAddress(server.url)).options()
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            client = MilvusClient(**options, timeout=5)
            client.list_collections(timeout=5)
            client.close()
        except MilvusException:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{server.url} does not answer") from None
            time.sleep(0.3)
        else:
            return


def _remote(objects: Server) -> dict[str, str]:
    """The settings of a store, which the program takes from the environment too."""
    return {
        "COMMON_STORAGETYPE": "remote",
        "MINIO_ADDRESS": "127.0.0.1",
        "MINIO_PORT": str(objects.port),
    }


def _package() -> Path:
    spec = find_spec("milvus")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data"


def _unpacked() -> Path:
    target = Path(tempfile.gettempdir()) / f"xunwen-milvus-2.3.5-{os.getuid()}"
    if not target.exists():
        making = Path(tempfile.mkdtemp(dir=target.parent))
        for packed in (_package() / "bin").glob("*.lzma"):
            program = making / packed.stem
            program.write_bytes(lzma.decompress(packed.read_bytes()))
            program.chmod(0o755)
        try:
            making.rename(target)
        except OSError:  # another process was first
            assert target.exists()
    return target


def _config(directory: Path, port: int, settings: dict[str, str]) -> str:
    values = {
        **settings,
        "proxy_port": str(port),
        "etcd_log_path": str(directory / "etcd.log"),
        "system_log_path": str(directory / "logs"),
        "etcd_data_dir": str(directory / "data" / "etcd"),
        "local_storage_dir": str(directory / "data"),
        "rocksmq_data_dir": str(directory / "data" / "rocksmq"),
    }

    def value(match: "re.Match[str]") -> str:
        name, _, default = match.groups()
        if name not in values:
            values[name] = str(free_port()) if name.endswith("_port") else default or ""
        return values[name]

    return _FIELD.sub(value, (_package() / "config.yaml.template").read_text())
