"""How a stage of the cascade reports on itself."""

from pydantic import BaseModel, ConfigDict, Field


class Stage(BaseModel):
    """One stage of one search."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="encode, dense, lexical, fuse, coarse, fine, rerank, ...")
    took_ms: float
    candidates: int | None = Field(default=None, description="How many it saw")
