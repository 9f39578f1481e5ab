"""Model directories, format 1, which `xunwen export` writes and the services load."""

from services.common.model_dir.files import PACKED, ModelFile, ModelFiles, file_of, sha256_of
from services.common.model_dir.manifest import (
    INPUTS,
    MANIFEST,
    Calibration,
    InputName,
    ModelKind,
    ModelManifest,
    Normalisation,
    Untitled,
    load_manifest,
    write_manifest,
)
from services.common.model_dir.packing import CodedTensor, decoded, pack, unpack

__all__ = [
    "INPUTS",
    "MANIFEST",
    "PACKED",
    "Calibration",
    "CodedTensor",
    "InputName",
    "ModelFile",
    "ModelFiles",
    "ModelKind",
    "ModelManifest",
    "Normalisation",
    "Untitled",
    "decoded",
    "file_of",
    "load_manifest",
    "pack",
    "sha256_of",
    "unpack",
    "write_manifest",
]
