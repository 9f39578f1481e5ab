"""Settings of the gateway, from the environment with the prefix XUNWEN_GATEWAY_."""

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings

MIB = 1024 * 1024


class GatewaySettings(ServiceSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="XUNWEN_GATEWAY_")

    port: int = Field(default=8000, ge=0, le=65535)
    recall_url: str = "http://127.0.0.1:8001"
    rank_url: str = "http://127.0.0.1:8002"
    indexer_url: str = "http://127.0.0.1:8003"
    state_redis_url: str = "redis://127.0.0.1:6379/0"
    cache_redis_url: str = "redis://127.0.0.1:6380/0"

    budget_ms: int = Field(default=3_000, ge=10, le=60_000)
    """Time a search may take when the request names none."""
    max_budget_ms: int = Field(default=30_000, ge=10, le=60_000)
    recall_share: float = Field(default=0.85, gt=0, lt=1)
    """Part of the budget after which recall is given up when the hits are to be ranked too."""

    max_body_bytes: int = Field(default=16 * MIB, ge=1024)
    """Of every request but an upload."""
    max_upload_bytes: int = Field(default=4096 * MIB, ge=1024)

    @model_validator(mode="after")
    def _budgets_fit(self) -> "GatewaySettings":
        if self.budget_ms > self.max_budget_ms:
            raise ValueError(
                f"budget_ms ({self.budget_ms}) is above max_budget_ms ({self.max_budget_ms});"
                " lower the first or raise the second"
            )
        return self
