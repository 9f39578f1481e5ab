"""Model directories, format 1: what `xunwen export` writes and all that the services load."""

from services.common.model_dir.manifest import (
    MANIFEST,
    PACKED,
    Calibration,
    Kind,
    ModelFile,
    ModelFiles,
    ModelManifest,
    Precision,
    WantedPrecision,
    file_of,
    load_manifest,
    sha256_of,
    write_manifest,
)
from services.common.model_dir.packing import pack, unpack

__all__ = [
    "MANIFEST",
    "PACKED",
    "Calibration",
    "Kind",
    "ModelFile",
    "ModelFiles",
    "ModelManifest",
    "Precision",
    "WantedPrecision",
    "file_of",
    "load_manifest",
    "pack",
    "sha256_of",
    "unpack",
    "write_manifest",
]
