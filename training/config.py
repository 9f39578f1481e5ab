"""Recipes: one typed YAML per run, with `key=value` overrides from the command line."""

import contextlib
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from training.failures import RecipeInvalid

R = TypeVar("R", bound="Recipe")


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Settings):
    source: str
    """A name that paddlenlp knows (`ernie-3.0-nano-zh`) or a directory with `config.json`."""
    layers: int | None = Field(default=None, ge=1)
    """Keep only the first so many."""
    pooling: Literal["mean", "cls"] = "mean"
    dropout: float = Field(default=0.1, ge=0, lt=1)


class OptimizerSettings(_Settings):
    learning_rate: float = Field(default=3e-5, gt=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the rate rises; it then falls linearly to 0."""
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest global norm of the gradient."""


class Recipe(_Settings):
    """What every stage has."""

    output: Path
    """The run directory."""
    model: ModelSettings
    optimizer: OptimizerSettings = OptimizerSettings()
    steps: int = Field(gt=0)
    batch_size: int = Field(default=64, gt=0)
    batch_tokens: int = Field(default=8192, gt=0)
    """Padded tokens of a batch's longer side at most."""
    max_tokens: int = Field(default=128, ge=8)
    seed: int = 1
    validation: float = Field(default=0.02, ge=0, lt=1)
    """Share of the examples held back, by key, to choose the best checkpoint."""
    validate_every: int = Field(default=200, gt=0)
    checkpoint_every: int = Field(default=100, gt=0)
    log_every: int = Field(default=10, gt=0)


class PretrainRecipe(Recipe):
    """Domain-adaptive masked language modelling."""

    texts: tuple[Path, ...] = Field(min_length=1)
    """Plain lines, or jsonl with `text`, `abstract` or `title`."""
    exclude: tuple[Path, ...] = ()
    mask_rate: float = Field(default=0.15, gt=0, lt=1)


class SimcseRecipe(Recipe):
    texts: tuple[Path, ...] = Field(min_length=1)
    exclude: tuple[Path, ...] = ()
    scale: float = Field(default=20.0, gt=0)
    views: Literal["dropout", "crop"] = "dropout"
    """Two dropout passes over one text, or two independent spans of it."""


class InbatchRecipe(Recipe):
    pairs: tuple[Path, ...] = ()
    """`query<TAB>title[<TAB>negative...]` files; each is a group of its own."""
    general_pairs: tuple[Path, ...] = ()
    """The same, of which only pairs on the training side of the evaluation split are used."""
    abstracts: tuple[Path, ...] = ()
    """jsonl with `abstract`: pairs are made of its sentences and key terms, anew each epoch."""
    titles: tuple[Path, ...] = ()
    """jsonl with `title`: key terms -> title."""
    exclude: tuple[Path, ...] = ()
    """jsonl of evaluation papers, whose titles and abstracts are left out."""
    dimension: int | None = Field(default=256, ge=8)
    """Size of the vectors, by a projection that starts as the principal axes; null: none."""
    margin: float = Field(default=0.2, ge=0)
    scale: float = Field(default=30.0, gt=0)
    symmetric: bool = False
    """Also choose the query for each title."""
    query_max_tokens: int = Field(default=64, ge=8)
    negatives: int = Field(default=0, ge=0)
    """Mined negatives per pair that enter the batch."""
    alike: bool = False
    """Make batches of pairs whose texts the starting network finds alike: harder negatives."""
    chunk: int | None = Field(default=None, ge=1)
    """Gradient cache: so many texts' activations are held at once (Gao et al., 2021)."""
    average_with_start: float = Field(default=0.0, ge=0, lt=1)
    """Share of the starting weights in the result (Wortsman et al., 2022, WiSE-FT)."""

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not (self.pairs or self.general_pairs or self.abstracts or self.titles):
            raise ValueError("give pairs, general_pairs, abstracts or titles")
        return self


class RankRecipe(Recipe):
    joint_layers: int = Field(default=1, ge=0)
    """The last so many layers attend across query and title; the others keep them apart."""
    triples: tuple[Path, ...] = ()
    """`query<TAB>title<TAB>neg_title`: the title should score above its negative."""
    general_triples: tuple[Path, ...] = ()
    """The same, of which only those on the training side of the evaluation split are used."""
    graded: tuple[Path, ...] = ()
    """`query<TAB>title<TAB>grade`, grades 0 up to `top_grade`; the training side of the split."""
    top_grade: int = Field(default=2, ge=1)
    margin: float = Field(default=0.1, gt=0)
    lists: tuple[Path, ...] = ()
    """`query<TAB>title<TAB>neg_title...` with several negatives each: a choice among them."""
    general_lists: tuple[Path, ...] = ()
    """The same, of which only those on the training side of the evaluation split are used."""
    exclude: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _has_data(self) -> Self:
        if not any(
            (self.triples, self.general_triples, self.graded, self.lists, self.general_lists)
        ):
            raise ValueError("give triples, general_triples, graded, lists or general_lists")
        return self


def load_recipe(path: Path, kind: type[R], overrides: list[str] | None = None) -> R:
    """The recipe of `path` with `key=value` overrides (`optimizer.learning_rate=1e-5`).

    Relative paths count from the working directory. Raises RecipeInvalid.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeInvalid(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise RecipeInvalid(f"{path} holds no settings")
    for override in overrides or []:
        _override(settings, override)
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        reasons = "; ".join(
            ".".join(str(step) for step in item["loc"]) + f": {item['msg']}"
            for item in error.errors()
        )
        raise RecipeInvalid(f"{path.name}: {reasons}") from error


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
    value = yaml.safe_load(text)
    # YAML 1.1 reads 1e-5 as text.
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    section[name] = value
