"""Models that come from an object store: checked before a service may use them."""

import json
import lzma
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.errors import ModelInvalid
from services.common.model_dir import PACKED, load_manifest
from services.common.model_dir.fetch import fetch
from tests.deploy.manifests import ROOT
from tests.models import tiny_encoder
from tests.servers import free_port


def test_a_fetched_model_is_whole(tmp_path: Path) -> None:
    store = tiny_encoder(tmp_path / "store" / "encoder")
    here = fetch(f"file://{store}", tmp_path / "here")
    assert load_manifest(here) == load_manifest(store)


def packed(directory: Path) -> Path:
    """The directory with its weights in packed form, as git holds it."""
    weights = directory / load_manifest(directory).files.weights.file
    sections = [lzma.compress(each) for each in (weights.read_bytes(), b"")]
    sizes = [*map(len, sections), 0, 0]
    header = json.dumps({"spans": [], "coded": [], "sections": sizes}).encode()
    whole = [b"XWPACK01", struct.pack("<I", len(header)), header, *sections]
    (directory / PACKED).write_bytes(b"".join(whole))
    weights.unlink()
    return directory


def test_a_packed_model_replaces_what_another_one_left(tmp_path: Path) -> None:
    """A new model comes into the directory of the one before, on a volume that pods keep."""
    here = tiny_encoder(tmp_path / "here", seed=1)
    (here / "manifest.json").unlink()
    store = tiny_encoder(tmp_path / "store", seed=2)
    wanted = load_manifest(store)
    assert load_manifest(fetch(f"file://{packed(store)}", here)) == wanted


def test_a_second_start_downloads_nothing(tmp_path: Path) -> None:
    store = tiny_encoder(tmp_path / "store")
    fetch(f"file://{store}", tmp_path / "here")
    assert fetch("file:///nowhere/at-all", tmp_path / "here") == tmp_path / "here"


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    store = tiny_encoder(tmp_path / "store")
    (store / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelInvalid, match=r"tokenizer\.json"):
        fetch(f"file://{store}", tmp_path / "here")


@pytest.mark.parametrize("url", ["file:///nowhere/at-all", "nonsense://bucket/model"])
def test_an_absent_model_is_named(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelInvalid, match="cannot be fetched") as refusal:
        fetch(url, tmp_path / "here")
    assert url in refusal.value.detail


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "AWS_ENDPOINT_URL"),
    ],
    ids=["no keys", "no store"],
)
def test_a_store_that_cannot_be_reached_is_told_in_one_line(
    tmp_path: Path, variables: dict[str, str], words: str
) -> None:
    """The log of the init container has nothing else."""
    own = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        **variables,
    }
    run = subprocess.run(
        [sys.executable, "-m", "services.common.model_dir.fetch", "s3://models/encoder", tmp_path],
        cwd=ROOT, env=own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith("model s3://models/encoder cannot be fetched: ")
    assert words in run.stderr
    assert len(run.stderr.splitlines()) == 1
