"""Settings of the recall service, from the environment with the prefix XUNWEN_RECALL_."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.blend import BLEND
from services.common.engine import QUEUED_TOKENS, PredictorOptions
from services.common.milvus_address import MilvusSettings
from services.common.precision import WantedPrecision
from services.common.settings import PathList


class RecallSettings(MilvusSettings):
    """Settings of the recall service, under the prefix XUNWEN_RECALL_."""

    model_config = SettingsConfigDict(env_prefix="XUNWEN_RECALL_", frozen=True, extra="ignore")

    port: int = Field(default=8001, ge=0, le=65535)
    """TCP port to listen on; 0 lets the system choose a free one."""
    model_dir: Path = Path("models/literature-encoder")
    """Model directory of the encoder of collections that name none."""
    encoders: PathList = Field(default_factory=list)
    """Model directories of further encoders, as a JSON list: those of collections that were filled
    before a change of encoder, or that name their own. The indexer must name the same."""
    encoder_memory_mb: int = Field(default=2048, ge=0)
    """Memory that open encoders may take, counted by the size of their files; those that were not
    used for the longest are closed first."""
    threads: int = Field(default=0, ge=0)
    """Cores that forward passes of the encoder may use; 0 takes every one."""
    precision: WantedPrecision = "small"
    """Arithmetic of the encoder: `small` takes int8, which is the fastest for single queries, if
    the model allows it."""
    queued_tokens: int = Field(default=QUEUED_TOKENS, gt=0)
    """Tokens that may wait for the encoder, queries and documents each; beyond them calls are
    refused with 503."""
    timeout_seconds: float = Field(default=10.0, gt=0)
    """Budget of a call whose caller names no deadline."""
    fusion: Literal["weighted", "reciprocal_rank"] = "weighted"
    """How the legs are fused: `weighted` adds their normalised scores, `reciprocal_rank` their
    reciprocal ranks."""
    dense_weight: float | None = Field(default=None, ge=0, le=1)
    """Constant weight of the dense leg in the weighted fusion; the lexical leg has the rest to 1.
    By default the fitted weights give it for each query."""
    rank_constant: int = Field(default=10, ge=1)
    """Constant k of reciprocal rank fusion, 1 / (k + rank)."""
    blend: Path = BLEND
    """File with the fitted weights of fusion and ranking, as `xunwen eval blend` writes it;
    recall and rank must read the same."""
    dictionaries: Path | None = None
    """Folder of user dictionaries, one file `<collection>.txt` each; none by default."""
    ef: int = Field(default=128, ge=1, le=32_768)
    """Size of the candidate list of a search in an HNSW or DiskANN index. A search for more
    candidates uses their number."""
    nprobe: int = Field(default=32, ge=1, le=65_536)
    """Number of lists that a search in an IVF index reads."""

    def predictor_options(self) -> PredictorOptions:
        """How the encoder is opened: its precision and its number of threads."""
        return PredictorOptions(threads=self.threads, precision=self.precision)
