"""Settings of the rank service, from the environment with the prefix XUNWEN_RANK_."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.engine import QUEUED_TOKENS, PredictorOptions
from services.common.model_dir import WantedPrecision
from services.common.settings import ServiceSettings
from services.rank.blend import BLEND


class RankSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="XUNWEN_RANK_", frozen=True, extra="ignore")

    port: int = Field(default=8002, ge=0, le=65535)
    model_dir: Path = Path("models/literature-ranker")
    threads: int = Field(default=0, ge=0)
    """Cores that forward passes may use; 0 takes every one."""
    precision: WantedPrecision = "auto"
    queued_tokens: int = Field(default=QUEUED_TOKENS, gt=0)
    """Waiting work above which a call is refused."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """The budget of a call whose caller names none."""
    keep: int = Field(default=100, ge=1, le=1000)
    """Candidates that the fine phase reads when the caller does not say."""
    blend: Path = BLEND
    """Weights of the phases, as `xunwen eval blend` writes them for another ranker."""
    duplicate: float = Field(default=0.9, gt=0)
    """Similarity from which a hit counts as a copy of a better one; above 1, none does."""

    def predictor_options(self) -> PredictorOptions:
        return PredictorOptions(threads=self.threads, precision=self.precision)
