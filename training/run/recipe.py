"""Recipes: one typed YAML file for each run, with `key=value` overrides from the command line.

This module has the settings that all stages share; those of a stage stand beside its objective in
`training/objectives/`.
"""

import contextlib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.common.validation import every_reason
from training.failures import RecipeInvalid

R = TypeVar("R", bound="Recipe")
LayerNumber = Annotated[int, Field(ge=1)]
PerEpoch = dict[str, Annotated[int, Field(ge=0)]]
"""Most pairs of a group in an epoch, by the name of the group."""


class Settings(BaseModel):
    """A section of a recipe: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSettings(Settings):
    """The network that training starts from."""

    source: str
    """A run's `best/`, a model directory such as `models/literature-encoder`, a directory with
    `config.json`, or a name that paddlenlp knows (`ernie-3.0-nano-zh`)."""
    layers: LayerNumber | tuple[LayerNumber, ...] | None = None
    """The layers to keep: a number keeps so many first ones, a list such as `[2, 4, 6]` those of
    these numbers, counted from 1; all of them if it is left out."""
    pooling: Literal["mean", "cls", "pooler"] = "mean"
    """The way to make one vector of token states; a saved pooling of the source takes
    precedence."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    freeze_embeddings: bool = False
    """Whether the embeddings stay as they are; they are most of a small network's weights."""
    freeze_layers: int = Field(default=0, ge=0)
    """Number of kept layers, counted from the first, that are left as they are."""

    @field_validator("layers")
    @classmethod
    def _ascending(cls, layers: int | tuple[int, ...] | None) -> int | tuple[int, ...] | None:
        if isinstance(layers, tuple) and (not layers or [*layers] != sorted({*layers})):
            raise ValueError("name at least one layer, each once and in ascending order")
        return layers


class OptimizerSettings(Settings):
    """AdamW with a learning rate that rises linearly and then falls linearly to 0."""

    learning_rate: float = Field(default=3e-5, gt=0)
    """Highest learning rate, reached at the end of the warm-up."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest global norm of the gradient."""


class Recipe(Settings):
    """The settings that every stage has."""

    output: Path
    """The directory of the run."""
    model: ModelSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    steps: int = Field(gt=0)
    batch_size: int = Field(default=64, gt=0)
    batch_tokens: int = Field(default=8192, gt=0)
    """Largest number of padded tokens on the longer side of a batch."""
    accumulate: int = Field(default=1, ge=1)
    """Number of batches whose mean gradient makes one step, like a larger batch in the same memory.
    It adds no negatives to a contrastive loss; `chunk` of in-batch training does."""
    max_tokens: int = Field(default=128, ge=8)
    query_prefix: str | None = None
    """Words before each query, such as `query: `; if left out, those of the source."""
    document_prefix: str | None = None
    """Words before each document, such as `passage: `; if left out, those of the source."""
    average_with_start: float = Field(default=0.0, ge=0, lt=1)
    """Share of the starting weights in the result (WiSE-FT: Wortsman et al., 2022)."""
    seed: int = Field(default=1, ge=0, lt=2**32)
    validation: float = Field(default=0.02, ge=0, lt=1)
    """Share of the examples that is held back, by key, to choose the best checkpoint."""
    validate_every: int = Field(default=200, gt=0)
    """Number of steps between two validations."""
    checkpoint_every: int = Field(default=100, gt=0)
    """Number of steps between two checkpoints."""
    log_every: int = Field(default=10, gt=0)
    """Number of steps between two lines of the log."""


def load_recipe(path: Path, kind: type[R], overrides: list[str] | None = None) -> R:
    """The recipe of `path` with `key=value` overrides (`optimizer.learning_rate=1e-5`).

    Relative paths are taken from the working directory. Raises RecipeInvalid.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeInvalid(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeInvalid(f"{path} is not UTF-8; save it in UTF-8") from error
    except yaml.YAMLError as error:
        raise RecipeInvalid(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise RecipeInvalid(f"{path} holds no settings")
    for override in overrides or []:
        _override(settings, override)
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        raise RecipeInvalid(f"{path.name}: {every_reason(error)}") from error


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeInvalid(f"{override!r} is not of the form key=value")
    *parents, name = key.split(".")
    section = settings
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            raise RecipeInvalid(f"{parent} in {override!r} is no section")
    section[name] = _value(override, text)


def _value(override: str, text: str) -> Any:
    """The value of an override. Lists and sections are written in brackets; a prefix such as
    `query: ` is a text. Raises RecipeInvalid."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeInvalid(
            f"{override!r} cannot be read: close its brackets and quotation marks, and put a text"
            " that begins with another sign between quotation marks"
        ) from error
    if isinstance(value, list | dict) and not text.lstrip().startswith(("[", "{")):
        return text
    # YAML 1.1 reads a number without a point, such as 1e-5, as text.
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return value
