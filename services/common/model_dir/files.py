"""The files of a model directory, named with their checksums."""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.common.errors import ModelInvalid

PACKED = "weights.packed"
_READ_BYTES = 1 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelFile(BaseModel):
    """A file beside the manifest, by name and content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    sha256: Sha256


class ModelFiles(BaseModel):
    """The files of a model by their role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: ModelFile
    weights: ModelFile
    tokenizer: ModelFile
    int8: ModelFile | None = Field(
        default=None,
        description="An ONNX program that takes its larger weights from `weights` and `codes`",
    )
    codes: ModelFile | None = Field(
        default=None, description="int8 matrices that `int8` and `weights.packed` share"
    )

    def named(self) -> list[tuple[str, ModelFile]]:
        """The files that exist, each with its role."""
        named = [
            ("program", self.program),
            ("weights", self.weights),
            ("tokenizer", self.tokenizer),
            ("int8", self.int8),
            ("codes", self.codes),
        ]
        return [(role, item) for role, item in named if item is not None]


def file_of(path: Path) -> ModelFile:
    """The entry of a manifest for a file."""
    return ModelFile(file=path.name, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def check_files(directory: Path, files: ModelFiles, *, verify: bool) -> None:
    """Raises ModelInvalid if a file is missing or, with `verify`, has another checksum."""
    for role, item in files.named():
        path = directory / item.file
        if not path.is_file():
            raise ModelInvalid(
                f"model {directory.name}: {item.file} is missing; {_remedy(directory, role, item)}"
            )
        if verify and sha256_of(path) != item.sha256:
            raise ModelInvalid(
                f"model {directory.name}: {item.file} is not the file that the manifest describes "
                f"(sha256 differs); {_remedy(directory, role, item)}"
            )


def _remedy(directory: Path, role: str, item: ModelFile) -> str:
    if role == "weights" and (directory / PACKED).is_file():
        return (
            f"delete {item.file} if it is there, then run `make setup` or "
            f"`python -m services.common.model_dir unpack {directory.name}` beside it"
        )
    return "restore it from the repository or export the model again"
