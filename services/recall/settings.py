"""Settings of the recall service, from the environment with the prefix XUNWEN_RECALL_."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.engine import QUEUED_TOKENS, PredictorOptions
from services.common.model_dir import WantedPrecision
from services.common.settings import ServiceSettings
from services.recall.domain import DENSE_WEIGHT, Fusion


class RecallSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="XUNWEN_RECALL_", frozen=True, extra="ignore")

    port: int = Field(default=8001, ge=0, le=65535)
    milvus_uri: str = "http://127.0.0.1:19530"
    milvus_token: SecretStr | None = None
    model_dir: Path = Path("models/literature-encoder")
    threads: int = Field(default=0, ge=0)
    """Cores that forward passes may use; 0 takes every one."""
    precision: WantedPrecision = "auto"
    queued_tokens: int = Field(default=QUEUED_TOKENS, gt=0)
    """Waiting work, queries and documents each, above which a call is refused."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """The budget of a call whose caller names none."""
    fusion: Literal["weighted", "reciprocal_rank"] = "weighted"
    dense_weight: float = Field(default=DENSE_WEIGHT, ge=0, le=1)
    rank_constant: int = Field(default=10, ge=1)
    dictionaries: Path | None = None
    """A folder of user dictionaries, <collection>.txt."""
    ef: int = Field(default=128, ge=1, le=32_768)
    """HNSW: size of the search's candidate list; at least as many as are asked for are used."""
    nprobe: int = Field(default=32, ge=1, le=65_536)
    """IVF: lists searched."""

    def predictor_options(self) -> PredictorOptions:
        return PredictorOptions(threads=self.threads, precision=self.precision)

    def fusion_of_legs(self) -> Fusion:
        return Fusion(self.fusion, self.dense_weight, self.rank_constant)
