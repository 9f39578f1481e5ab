"""Imports through an object store in which Milvus 2.3.5 keeps its data and reads their files."""

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from tests.engines.imports import DOCUMENTS, check_equal, refused, submit
from tests.indexer.installation import Installation, installation
from tests.milvus_standalone import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    available,
    milvus_standalone,
)
from tests.servers import Server, object_store

pytestmark = [
    pytest.mark.skipif(not available(), reason="Milvus 2.3.5 is built for x86-64 only"),
    pytest.mark.soak,
]

PLACE = f"{BUCKET}/imports"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with object_store(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture(scope="module")
def objects(store: Server) -> Any:
    """The store as a file system, with the bucket of Milvus and another one."""
    s3 = fsspec.filesystem(
        "s3",
        key=ACCESS_KEY,
        secret=SECRET_KEY,
        endpoint_url=store.url,
        use_listings_cache=False,
    )
    for bucket in (BUCKET, "other"):
        s3.mkdir(bucket)
    return s3


@pytest.fixture(scope="module")
def running(
    objects: Any, store: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with (
        milvus_standalone(tmp_path_factory.mktemp("milvus") / "data", objects=store) as milvus,
        installation(
            tmp_path_factory.mktemp("imports"),
            server=milvus,
            AWS_ENDPOINT_URL=store.url,
            AWS_ACCESS_KEY_ID=ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=SECRET_KEY,
            AWS_DEFAULT_REGION="us-east-1",
            XUNWEN_INDEXER_IMPORT_URL=f"s3://{PLACE}",
        ) as started,
    ):
        yield started


@pytest.mark.parametrize("key", [None, "journal"], ids=["undivided", "partitions"])
def test_an_import_leaves_what_upserts_leave(
    running: Installation, objects: Any, key: str | None
) -> None:
    check_equal(running, key)
    assert objects.find(PLACE) == []


def test_a_place_that_milvus_does_not_read(running: Installation, objects: Any) -> None:
    running.env["XUNWEN_INDEXER_IMPORT_URL"] = "s3://other/imports"
    running.restart_with_settings(running.api)
    job = submit(running, "elsewhere", "import")
    ended = running.ended(job, 240)
    assert (ended["state"], ended["counts"]["indexed"]) == ("failed", 0)
    assert "XUNWEN_INDEXER_IMPORT_URL" in ended["message"]
    assert running.physicals("elsewhere") == []
    assert objects.find("other") == []

    running.env["XUNWEN_INDEXER_IMPORT_URL"] = f"s3://{PLACE}"
    running.restart_with_settings(running.api)
    assert running.client.post(f"/index-jobs/{job}:retry").status_code == 202
    assert running.ended(job, 240)["counts"]["indexed"] == DOCUMENTS - 2
    again = running.client.post(f"/index-jobs/{job}:retry")
    assert "an import fills an empty one" in refused(again)
