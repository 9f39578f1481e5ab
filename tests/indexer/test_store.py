"""Durable objects, and inputs that jobs name."""

from pathlib import Path

import pytest

from services.common.errors import Forbidden, InvalidRequest, NotFound
from services.common.objects import ObjectStoreSettings
from services.indexer.jobs.named_sources import NamedSources
from services.indexer.store import NoSuchObject, ObjectStore


def test_an_object_appears_when_it_is_complete(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path))
    with store.writer("a/b") as stream:
        stream.write(b"half")
        assert not store.exists("a/b")
        assert store.names("a") == []
    assert store.read("a/b") == b"half"


def _interrupted_write(store: ObjectStore, name: str) -> None:
    with store.writer(name) as stream:
        stream.write(b"new")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_object(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path))
    store.write("a", b"old")
    with pytest.raises(RuntimeError):
        _interrupted_write(store, "a")
    assert store.read("a") == b"old"
    assert store.names("") == ["a"]


def test_missing_objects(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path))
    with pytest.raises(NoSuchObject):
        store.read("nothing")
    assert store.names("nothing") == []
    store.remove("nothing")


async def test_the_same_on_an_object_store() -> None:
    """fsspec's memory store stands for S3: no fsync, no rename, an object per write."""
    store = ObjectStore("memory://bucket/prefix")
    async with store.upload("jobs/1/input") as stream:
        stream.write(b"content")
    assert store.read("jobs/1/input") == b"content"
    assert store.names("jobs/1") == ["input"]
    store.remove("jobs/1")
    assert not store.exists("jobs/1/input")


async def read(sources: NamedSources, address: str) -> bytes:
    return b"".join([block async for block in sources.read(address)])


async def test_a_source_under_an_allowed_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b.jsonl").write_bytes(b"{}")
    sources = NamedSources([str(tmp_path / "in")], ObjectStoreSettings())
    assert await read(sources, str(tmp_path / "in" / "a b.jsonl")) == b"{}"
    assert await read(sources, f"file://{tmp_path}/in/a%20b.jsonl") == b"{}"


async def test_no_way_leads_out_of_the_roots(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    sources = NamedSources([str(tmp_path / "in"), "s3://bucket/prefix"], ObjectStoreSettings())
    for address in (
        str(tmp_path / "secret"),
        str(tmp_path / "in" / ".." / "secret"),
        f"file://{tmp_path}/in/%2e%2e/secret",
        str(tmp_path / "in" / "link"),
        str(tmp_path / "in-other"),
        "s3://bucket/other",
        "s3://bucket/prefix-other/x",
        "s3://bucket/prefix/../other",
        "s3://bucket/prefix/a::http://169.254.169.254/latest",
    ):
        with pytest.raises(Forbidden):
            await read(sources, address)
    for address in ("http://169.254.169.254/latest", "gs://b/x", "memory://x"):
        with pytest.raises(InvalidRequest):
            await read(sources, address)
    with pytest.raises(NotFound):
        await read(sources, str(tmp_path / "in" / "missing"))
    with pytest.raises(Forbidden):
        await read(NamedSources([], ObjectStoreSettings()), str(tmp_path / "secret"))


async def test_an_address_that_can_be_none_is_refused_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    sources = NamedSources([str(tmp_path), "s3://bucket"], ObjectStoreSettings())
    odd = [
        *("\x00", "a\x00b", f"{tmp_path}/\x00", f"file://{tmp_path}/%00", "http://[", "file://[x"),
        *(f"{tmp_path}/{'a' * 300}", "/" * 2_000, "文" * 2_000, f"{tmp_path}/ring", str(tmp_path)),
        *("", "\n", "\ud800", ":", "://", "s3:", "s3://", "s3://bucket/", "file:", "C:\\a", "~"),
    ]
    for address in odd:
        with pytest.raises((InvalidRequest, Forbidden, NotFound)):
            await read(sources, address)
