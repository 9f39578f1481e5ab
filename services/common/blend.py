"""The weights of fusion and ranking, fitted together and kept in one file: `blend.json`.

`xunwen eval blend` writes the file for one encoder and one ranker. Recall and rank read it at
their start, and each compares it with what it really runs.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import ModelInvalid

BLEND = Path(__file__).with_name("blend.json")
"""The shipped weights, which are fitted for the shipped models."""


class StopWeights(BaseModel):
    """The rule by which the fine phase stops; `services/rank/stopping.py` explains its members."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    intercept: float
    slope: float
    spread: float = Field(gt=0)
    floor: float
    chance: float = Field(gt=0)
    doubt: float = Field(default=0.0, ge=0)
    rivals: float = Field(default=0.0, ge=0)


class FittedWeights(BaseModel):
    """The content of `blend.json`. Scores are log-odds of relevance."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    encoder: str = Field(
        default="", description="Fingerprint of the encoder; empty if it is unknown"
    )
    ranker: str = Field(default="", description="Fingerprint of the ranker; empty if it is unknown")
    dense_weight: float = Field(
        ge=0, le=1, description="Constant weight of the dense leg in fused scores, 0 to 1"
    )
    fusion: dict[str, float] = Field(
        default_factory=dict,
        description="Weights of the model that computes the dense leg's weight for each query; if"
        " empty, it is always dense_weight",
    )
    coarse: dict[str, float] = Field(description="Weight of each coarse feature, by its name")
    coarse_bias: float
    fine: float = Field(
        description="Weight of the ranker's probability; with 0 the fine phase is skipped"
    )
    fine_coarse: float = Field(
        description="Weight of the coarse log-odds of a candidate that the ranker read"
    )
    fine_bias: float
    reads_topics: bool = Field(
        default=True,
        description="Whether the ranker reads for queries of a few words, which give no detail",
    )
    stop: StopWeights | None = Field(
        default=None,
        description="Rule by which the fine phase stops; without one it reads up to its depth",
    )


def read_weights(path: Path = BLEND) -> FittedWeights:
    """The weights of a file. Raises ModelInvalid if it cannot be read or holds no such weights."""
    try:
        return FittedWeights.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelInvalid(
            f"{path.name} holds no weights of fusion and ranking; `xunwen eval blend` writes them"
        ) from error
