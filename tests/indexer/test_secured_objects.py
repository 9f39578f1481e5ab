"""An object store with certificates of its own, and where the bucket's name stands."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest

from services.common.errors import Unavailable
from services.common.objects import ObjectStoreSettings
from services.indexer.store import ObjectStore
from tests.redis_sets import Certificates, certificates, tls_front
from tests.servers import object_store


@dataclass(frozen=True)
class Secured:
    port: int
    made: Certificates


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """It has the bucket `jobs`."""
    folder = tmp_path_factory.mktemp("objects")
    made = certificates(folder / "certificates")
    with object_store(folder) as server, tls_front(server.port, made) as port:
        s3 = fsspec.filesystem("s3", key="key", secret="secret", endpoint_url=server.url)
        s3.mkdir("jobs")
        yield Secured(port, made)


@pytest.fixture
def environment(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{secured.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3").clear_instance_cache()


def _store(settings: ObjectStoreSettings) -> ObjectStore:
    return ObjectStore("s3://jobs/xunwen", settings.options("s3://jobs/xunwen"))


@pytest.mark.usefixtures("environment")
def test_the_certificate_is_checked(secured: Secured) -> None:
    store = _store(ObjectStoreSettings(ca=secured.made.ca, addressing="path"))
    store.write("a/b", b"kept")
    assert store.read("a/b") == b"kept"
    assert store.names("a") == ["b"]
    with pytest.raises(Unavailable):
        _store(ObjectStoreSettings()).read("a/b")


def _asked(addressing: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address that is asked for an object."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.internal:9000")
    settings = ObjectStoreSettings(addressing=addressing)
    options = settings.options("s3://jobs/x")
    s3 = fsspec.filesystem("s3", key="key", secret="secret", skip_instance_cache=True, **options)
    return str(s3.url("jobs/x")).partition("?")[0]


def test_where_the_name_of_the_bucket_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _asked("auto", monkeypatch) == "http://store.internal:9000/jobs/x"
    assert _asked("path", monkeypatch) == "http://store.internal:9000/jobs/x"
    assert _asked("virtual", monkeypatch) == "http://jobs.store.internal:9000/x"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("services.indexer", []),
        ("services.common.model_dir.fetch", ["s3://models/encoder", "models"]),
    ],
)
def test_settings_that_cannot_be_are_named(
    module: str, arguments: list[str], tmp_path: Path
) -> None:
    wrong = {"XUNWEN_S3_CA": "/absent.pem", "XUNWEN_S3_ADDRESSING": "host"}
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**wrong, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "XUNWEN_S3_CA: " in ended.stderr
    assert "/absent.pem: No such file or directory" in ended.stderr
    assert "XUNWEN_S3_ADDRESSING: Input should be 'auto', 'path' or 'virtual'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
