"""Settings of the rank service, from the environment with the prefix XUNWEN_RANK_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.blend import BLEND
from services.common.engine import QUEUED_TOKENS, PredictorOptions
from services.common.precision import WantedPrecision
from services.common.settings import ServiceSettings


class RankSettings(ServiceSettings):
    """Settings of the rank service, under the prefix XUNWEN_RANK_."""

    model_config = SettingsConfigDict(env_prefix="XUNWEN_RANK_", frozen=True, extra="ignore")

    port: int = Field(default=8002, ge=0, le=65535)
    """TCP port to listen on; 0 lets the system choose a free one."""
    model_dir: Path = Path("models/literature-ranker")
    """Model directory of the ranker."""
    threads: int = Field(default=0, ge=0)
    """Cores that forward passes of the ranker may use; 0 takes every one."""
    precision: WantedPrecision = "small"
    """Arithmetic of the ranker: `small` takes int8 if the model allows it, which is the fastest for
    the small passes of a search. For `/v1/rerank` with hundreds of documents `bf16` is faster on
    processors with AMX, and takes 600 MB more; `auto` finds out at the start."""
    queued_tokens: int = Field(default=QUEUED_TOKENS, gt=0)
    """Tokens that may wait for the ranker; beyond them calls are refused with 503."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """Budget of a call whose caller names no deadline."""
    keep: int = Field(default=2, ge=1, le=1000)
    """Number of candidates that the fine phase reads at most. Two more change no task by more than
    its standard error, and double the time of the slowest searches
    (docs/measurements/2026-11-30-apart.md)."""
    blend: Path = BLEND
    """File with the fitted weights of fusion and ranking, as `xunwen eval blend` writes it;
    recall and rank must read the same."""
    duplicate: float = Field(default=0.9, gt=0)
    """Similarity from which a hit counts as a copy of a better one and is dropped; above 1,
    none is."""

    def predictor_options(self) -> PredictorOptions:
        """The precision and the number of threads with which the ranker is opened."""
        return PredictorOptions(threads=self.threads, precision=self.precision)
