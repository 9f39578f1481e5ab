"""Models that come from an object store: checked before a service may use them."""

from pathlib import Path

import pytest

from services.common.errors import ModelInvalid
from services.common.model_dir import load_manifest
from services.common.model_dir.fetch import fetch
from tests.models import tiny_encoder


def test_a_fetched_model_is_whole(tmp_path: Path) -> None:
    store = tiny_encoder(tmp_path / "store" / "encoder")
    here = fetch(f"file://{store}", tmp_path / "here")
    assert load_manifest(here) == load_manifest(store)


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
