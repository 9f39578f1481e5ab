"""Jobs and inputs in an S3-compatible store, over its real protocol."""

import json
import time
from collections.abc import Iterator

import fsspec
import httpx
import pytest

from tests.indexer.installation import Installation, documents, installation, jsonl
from tests.servers import Server, object_store

LINES = documents(400)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with object_store(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture(scope="module")
def remote(store: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Keeps its jobs in the bucket `jobs` and may read the bucket `inputs` below `open/`."""
    s3 = fsspec.filesystem("s3", key="key", secret="secret", endpoint_url=store.url)
    for bucket in ("jobs", "inputs"):
        s3.mkdir(bucket)
    for name in ("open/papers.jsonl", "closed/papers.jsonl"):
        s3.pipe(f"inputs/{name}", jsonl(LINES))
    with installation(
        tmp_path_factory.mktemp("remote"),
        AWS_ENDPOINT_URL=store.url,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
        AWS_DEFAULT_REGION="us-east-1",
        XUNWEN_INDEXER_STORAGE_URL="s3://jobs/xunwen",
        XUNWEN_INDEXER_SOURCE_ROOTS=json.dumps(["s3://inputs/open"]),
    ) as running:
        yield running


def submitted(remote: Installation, source: str, collection: str = "named") -> httpx.Response:
    return remote.client.post(
        "/index-jobs", params={"collection": collection, "source": source, "format": "jsonl"}
    )


def test_a_named_object_is_indexed(remote: Installation) -> None:
    accepted = submitted(remote, "s3://inputs/open/papers.jsonl")
    assert accepted.status_code == 202, accepted.text
    remote.succeeded(accepted.json()["job_id"])
    assert remote.ids("named") == sorted(line["id"] for line in LINES)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("s3://inputs/closed/papers.jsonl", 403),
        ("s3://inputs/open/../closed/papers.jsonl", 403),
        ("s3://inputs/open/missing.jsonl", 404),
        ("http://127.0.0.1/papers.jsonl", 422),
    ],
)
def test_what_may_not_be_read_is_refused(remote: Installation, source: str, status: int) -> None:
    refused = submitted(remote, source)
    assert refused.status_code == status, refused.text
    assert "Traceback" not in refused.text


def test_a_job_survives_the_death_of_indexer_and_worker(remote: Installation) -> None:
    job = remote.submit("survived", LINES)
    remote.indexed(job, 50)
    remote.restart(remote.api)
    remote.restart(remote.worker)
    remote.succeeded(job)
    assert remote.ids("survived") == sorted(line["id"] for line in LINES)


def test_without_the_store_nothing_is_accepted_and_searches_go_on(
    remote: Installation, store: Server
) -> None:
    """Last: the server forgets everything when it ends."""
    store.kill()
    begin = time.monotonic()
    refused = remote.client.post(
        "/index-jobs", params={"collection": "named", "format": "jsonl"}, content=jsonl(LINES)
    )
    assert time.monotonic() - begin < 12
    assert refused.status_code == 503, refused.text
    assert "storage fails" in refused.json()["detail"]
    assert "127.0.0.1" not in refused.text
    assert remote.found("named", LINES[3]["title"])
