"""The manifest of a model directory: what the model is, and hashes of all that it consists of."""

import hashlib
import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.common.errors import ModelInvalid

MANIFEST = "manifest.json"
PACKED = "weights.packed"
_READ_BYTES = 1 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Precision = Literal["fp32", "bf16", "int8"]
WantedPrecision = Literal["auto", "fp32", "bf16", "int8"]
"""`auto`: what is fastest on this machine of what the model allows."""


class Kind(StrEnum):
    ENCODER = "encoder"
    RANKER = "ranker"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelFile(_Part):
    """A file beside the manifest, by name and content."""

    file: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    sha256: Sha256


class ModelFiles(_Part):
    program: ModelFile
    weights: ModelFile
    tokenizer: ModelFile
    int8: ModelFile | None = Field(
        default=None, description="An ONNX program that takes its larger weights from `weights`"
    )

    def named(self) -> list[tuple[str, ModelFile]]:
        named = [
            ("program", self.program),
            ("weights", self.weights),
            ("tokenizer", self.tokenizer),
        ]
        return named if self.int8 is None else [*named, ("int8", self.int8)]


class Templates(_Part):
    """How a document's fields become the model's text."""

    query: str = "{query}"
    document: str = "{title}\n{text}"


class Calibration(_Part):
    """Maps a relevance logit to a probability: sigmoid(slope * logit + intercept)."""

    slope: float = Field(gt=0)
    intercept: float

    def probability(self, logit: float) -> float:
        return 1.0 / (1.0 + math.exp(-(self.slope * logit + self.intercept)))


class ModelManifest(_Part):
    format: Literal[1] = 1
    name: str = Field(min_length=1)
    kind: Kind
    version: str = Field(min_length=1)
    dimension: int | None = Field(default=None, gt=0, description="Of an encoder's vectors")
    max_tokens: int = Field(ge=8, description="Of a document, or of a ranker's pair")
    query_max_tokens: int = Field(ge=8)
    pooling: Literal["mean", "cls"]
    metric: Literal["IP"] = "IP"
    templates: Templates = Templates()
    pad_id: int = Field(ge=0)
    precisions: tuple[Precision, ...] = Field(default=("fp32", "bf16"), min_length=1)
    calibration: Calibration | None = None
    files: ModelFiles
    fingerprint: str = Field(default="", description="16 hex digits over all that decides output")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind is Kind.ENCODER) != (self.dimension is not None):
            raise ValueError("an encoder has a dimension, a ranker has none")
        if self.kind is Kind.ENCODER and self.calibration is not None:
            raise ValueError("only a ranker is calibrated")
        if "int8" in self.precisions and self.files.int8 is None:
            raise ValueError("the precision int8 needs a file of that name")
        expected = self.expected_fingerprint()
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", expected)
        elif self.fingerprint != expected:
            raise ValueError(
                f"the fingerprint is {self.fingerprint}, the fields give {expected}: "
                "the manifest was edited by hand; export the model again"
            )
        return self

    def expected_fingerprint(self) -> str:
        # Precisions are approximations of one model: what they answer may be mixed.
        deciding = self.model_dump(
            mode="json",
            exclude={
                "name": True, "version": True, "precisions": True, "fingerprint": True,
                "files": {"int8"},
            },
        )  # fmt: skip
        canonical = json.dumps(deciding, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def query_text(self, query: str) -> str:
        return self.templates.query.replace("{query}", query)

    def document_text(self, title: str, text: str) -> str:
        """The template with its fields filled; what an empty field leaves behind is stripped."""
        parts = self.templates.document.split("{title}")
        return title.join(part.replace("{text}", text) for part in parts).strip()


def file_of(path: Path) -> ModelFile:
    return ModelFile(file=path.name, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def load_manifest(directory: Path | str, *, verify: bool = True) -> ModelManifest:
    """Read `directory`'s manifest; with `verify`, also hash every file that it names.

    Raises ModelInvalid, whose detail says what is missing and what to do.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    for role, item in manifest.files.named():
        path = directory / item.file
        if not path.is_file():
            raise ModelInvalid(_missing(directory, role, item))
        if verify and sha256_of(path) != item.sha256:
            raise ModelInvalid(
                f"model {directory.name}: {item.file} is not the file that the manifest describes "
                f"(sha256 differs); {_remedy(directory, role, item)}"
            )
    return manifest


def read_manifest(directory: Path) -> ModelManifest:
    """The manifest alone; its files may be absent. Raises ModelInvalid."""
    try:
        content = (directory / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise ModelInvalid(
            f"model {directory.name}: there is no {MANIFEST}; a model directory is made by "
            "`xunwen export`"
        ) from None
    try:
        return ModelManifest.model_validate_json(content)
    except ValidationError as error:
        reasons = "; ".join(
            ".".join(str(step) for step in item["loc"]) + f": {item['msg']}"
            for item in error.errors()
        )
        raise ModelInvalid(f"model {directory.name}: {MANIFEST} is not valid: {reasons}") from error


def write_manifest(directory: Path, manifest: ModelManifest) -> None:
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _missing(directory: Path, role: str, item: ModelFile) -> str:
    return f"model {directory.name}: {item.file} is missing; {_remedy(directory, role, item)}"


def _remedy(directory: Path, role: str, item: ModelFile) -> str:
    if role == "weights" and (directory / PACKED).is_file():
        return (
            f"delete {item.file} if it is there, then run `make setup` or "
            f"`python -m services.common.model_dir unpack {directory.name}` beside it"
        )
    return "restore it from the repository or export the model again"
