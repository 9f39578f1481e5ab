"""Directories that hold no model: one line says what is wrong."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.errors import ModelInvalid
from services.common.model_dir import MANIFEST, PACKED, load_manifest, unpack
from tests.models import tiny_encoder


def _a_file(directory: Path) -> Path:
    return directory / "tokenizer.json"


def _a_folder_for_the_manifest(directory: Path) -> Path:
    (directory / MANIFEST).unlink()
    (directory / MANIFEST).mkdir()
    return directory


def _a_link_to_itself(directory: Path) -> Path:
    (directory / MANIFEST).unlink()
    (directory / MANIFEST).symlink_to(directory / MANIFEST)
    return directory


def _no_json(directory: Path) -> Path:
    (directory / MANIFEST).write_text("{", "utf-8")
    return directory


def _json_without_end(directory: Path) -> Path:
    (directory / MANIFEST).write_text("[" * 100_000, "utf-8")
    return directory


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (_a_file, "cannot be read (Not a directory)"),
        (_a_folder_for_the_manifest, "cannot be read (Is a directory)"),
        (_a_link_to_itself, "cannot be read (Too many levels of symbolic links)"),
        (_no_json, "is not valid: Invalid JSON"),
        (_json_without_end, "is not valid: Invalid JSON"),
    ],
)
def test_a_manifest_that_cannot_be_read(
    changed: Callable[[Path], Path], says: str, tmp_path: Path
) -> None:
    directory = changed(tiny_encoder(tmp_path / "model"))
    with pytest.raises(ModelInvalid) as refusal:
        load_manifest(directory)
    assert says in refusal.value.detail
    assert str(tmp_path) not in refusal.value.detail


def test_packed_weights_whose_header_has_no_end(tmp_path: Path) -> None:
    directory = tiny_encoder(tmp_path / "model")
    (directory / load_manifest(directory).files.weights.file).unlink()
    header = b"[" * 200_000
    (directory / PACKED).write_bytes(b"XWPACK01" + struct.pack("<I", len(header)) + header)
    with pytest.raises(ModelInvalid, match="is damaged"):
        unpack(directory)
