"""The manifest of a model directory, which describes the model and names its files."""

import hashlib
import json
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.common.errors import ModelInvalid
from services.common.model_dir.files import ModelFiles, check_files
from services.common.precision import Precision
from services.common.text.excerpts import excerpt, terms
from services.common.text.normalise import normalise
from services.common.validation import every_reason

MANIFEST = "manifest.json"
_PLACEHOLDER = re.compile(r"\{(title|text)\}(\s*)")
_RAW_CHARS = 48
"""Characters of a raw text beyond this many per token cannot reach the model."""

_TOKEN_BYTES = 4
"""Bytes of UTF-8 that are about one token, in Chinese and in English."""

InputName = Literal["input_ids", "token_type_ids", "attention_mask", "position_ids"]
"""An input of a program: int64 [sequences, tokens], as `services.common.engine.tokens` makes it."""
INPUTS: tuple[InputName, ...] = ("input_ids", "token_type_ids")
"""The inputs of programs whose manifest names none."""


class ModelKind(StrEnum):
    """The work of a model: it encodes texts or ranks pairs."""

    ENCODER = "encoder"
    RANKER = "ranker"


class Titled(Protocol):
    """A text with a title; either may be empty."""

    @property
    def title(self) -> str:
        """The title, which may be empty."""

    @property
    def text(self) -> str:
        """The text without the title, which may be empty."""


class Untitled(NamedTuple):
    """A text without a title."""

    text: str
    title: str = ""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Templates(_Part):
    """The texts that the model reads of a query, and of a document's title and text."""

    query: str = "{query}"
    document: str = "{title}\n{text}"


class Normalisation(_Part):
    """The normal form in which the model reads text, the same for queries and documents."""

    version: Literal[1] = Field(default=1, description="Version of services.common.text.normalise")
    lower_case: bool = Field(
        default=False, description="Whether letters become small, for tokenizers without capitals"
    )

    def __call__(self, text: str) -> str:
        normal = normalise(text)
        return normal.lower() if self.lower_case else normal


class Calibration(_Part):
    """Maps a ranker's raw logit to log-odds of relevance: slope * logit + intercept."""

    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(allow_inf_nan=False)

    def log_odds(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Log-odds [n] of raw logits [n]; their logistic function is the probability."""
        return np.float32(self.slope) * logits + np.float32(self.intercept)


class ModelManifest(_Part):
    """The properties of a model, as `manifest.json` holds them."""

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    kind: ModelKind
    version: str = Field(min_length=1)
    dimension: int | None = Field(
        default=None, gt=0, description="Dimension of an encoder's vectors"
    )
    max_tokens: int = Field(ge=8, description="Most tokens of a document, or of a ranker's pair")
    query_max_tokens: int = Field(ge=8, description="Most tokens of a query")
    pooling: Literal["mean", "cls", "pooler"]
    metric: Literal["IP"] = "IP"
    templates: Templates = Templates()
    normalisation: Normalisation | None = Field(
        default=None,
        description="Normal form of texts; null leaves texts as they come",
    )
    pad_id: int = Field(ge=0)
    inputs: tuple[InputName, ...] = Field(
        default=INPUTS, min_length=1, description="Inputs of the program, in its order"
    )
    precisions: tuple[Precision, ...] = Field(default=("fp32", "bf16"), min_length=1)
    calibration: Calibration | None = None
    files: ModelFiles
    fingerprint: str = Field(
        default="", description="Hash of the members that decide the output, 16 hex digits"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind is ModelKind.ENCODER) != (self.dimension is not None):
            raise ValueError("an encoder has a dimension, a ranker has none")
        if self.kind is ModelKind.ENCODER and self.calibration is not None:
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
        """The hash, 16 hex digits, of every member that decides the model's answers."""
        # Precisions are approximations of one model, so their answers may be mixed.
        deciding = self.model_dump(
            mode="json",
            exclude={
                "name": True, "version": True, "precisions": True, "fingerprint": True,
                "files": {"int8", "codes"},
            },
        )  # fmt: skip
        # Older manifests lack these members, so their defaults must not change the hash.
        if self.normalisation is None:
            del deciding["normalisation"]
        if self.inputs == INPUTS:
            del deciding["inputs"]
        canonical = json.dumps(deciding, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def query_text(self, query: str) -> str:
        """The text that the model reads of a query, in normal form if the model expects it."""
        return self.templates.query.replace("{query}", self._normal(query))

    def log_odds(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A ranker's log-odds [n] of relevance; its raw logits [n] if it is not calibrated."""
        return logits if self.calibration is None else self.calibration.log_odds(logits)

    def document_text(self, title: str, text: str) -> str:
        """The text that the model reads of a document; `title` may be empty.

        After an empty member the white space of the template is left out too; ends are stripped.
        """
        return self._filled(self._normal(title), self._normal(text))

    def _filled(self, title: str, text: str) -> str:
        values = {"title": title, "text": text}

        def filled(match: re.Match[str]) -> str:
            value = values[match[1]]
            return value + match[2] if value else ""

        return _PLACEHOLDER.sub(filled, self.templates.document).strip()

    def texts_beside(self, query: str, documents: Iterable[Titled]) -> list[str]:
        """The texts that a ranker reads of documents beside a query.

        Of a text that is longer than what it reads a part is taken that has many of the query's
        words; see `services/common/text/excerpts.py`.
        """
        wanted = terms(self._normal(query))
        room = self.max_tokens * _TOKEN_BYTES - len(self.query_text(query).encode())

        def beside(document: Titled) -> str:
            title, text = self._normal(document.title), self._normal(document.text)
            return self._filled(title, excerpt(text, wanted, room - len(title.encode())))

        return [beside(document) for document in documents]

    def _normal(self, text: str) -> str:
        if self.normalisation is None:
            return text
        return self.normalisation(text[: self.max_tokens * _RAW_CHARS])


def load_manifest(directory: Path | str, *, verify: bool = True) -> ModelManifest:
    """Reads `directory`'s manifest; with `verify`, also hashes every file that it names.

    Raises ModelInvalid, whose detail says what is missing and what to do.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    check_files(directory, manifest.files, verify=verify)
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
    except OSError as error:
        raise ModelInvalid(
            f"model {directory.name}: {MANIFEST} cannot be read ({error.strerror}); name a model"
            " directory, whose files this process may read"
        ) from None
    try:
        return ModelManifest.model_validate_json(content)
    except ValidationError as error:
        reasons = every_reason(error)
        raise ModelInvalid(f"model {directory.name}: {MANIFEST} is not valid: {reasons}") from error


def write_manifest(directory: Path, manifest: ModelManifest) -> None:
    """Writes the manifest into a model directory."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
