"""The report of a stage of the cascade."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Stage(BaseModel):
    """One stage of one search."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(
        description="Name of the stage: encode, dense, lexical, fuse, coarse, fine, list, ..."
    )
    took_ms: float
    candidates: int | None = Field(
        default=None, description="Number of candidates that the stage worked on"
    )
    stopped: Literal["settled", "depth", "budget"] | None = Field(
        default=None,
        description="Why the fine phase stopped reading: no unread candidate could change the"
        " answer, its depth was reached, or its budget ended",
    )
    dense_weight: float | None = Field(
        default=None, description="Weight of the dense leg in the scores of `fuse`, 0 to 1"
    )
