"""Settings of the gateway, from the environment with the prefix XUNWEN_GATEWAY_."""

import ipaddress
import re

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings

MIB = 1024 * 1024
MIN_OPERATOR_KEY = 32


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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

    cache_fresh_seconds: float = Field(default=300.0, gt=0)
    """How long an answer is served without a thought. It never outlives its index version."""
    cache_stale_seconds: float = Field(default=3_600.0, gt=0)
    """How long it is served while it is computed again."""
    cache_kept_seconds: float = Field(default=86_400.0, gt=0)
    """How long it is kept for the case that recall is away."""
    cache_local_mb: int = Field(default=64, ge=0)
    """Memory of this process for answers, below the shared level in Redis."""
    warm_queries: int = Field(default=50, ge=0, le=1000)
    """How many of a collection's most asked queries are computed after a rebuild."""

    concurrency: int = Field(default=16, ge=2)
    """Searches computed at once, at the start; measured latencies move it."""
    max_concurrency: int = Field(default=256, ge=2)

    max_requests: int = Field(default=1_000, ge=1)
    """Requests at once of all kinds; beyond it they are refused at once."""
    max_body_bytes: int = Field(default=16 * MIB, ge=1024)
    """Of every request but an upload."""
    max_upload_bytes: int = Field(default=4096 * MIB, ge=1024)
    body_seconds: float = Field(default=30.0, gt=0)
    """In which a body must have arrived; for an upload, the longest pause."""

    require_keys: bool | None = None
    """Whether calls must carry an API key. Not set: unless the gateway listens on loopback only."""
    operator_key: SecretStr | None = None
    """A key with all rights that needs no state store, for the first steps of an installation."""
    cors_origins: list[str] = Field(default_factory=list)
    """Pages of these origins may call the API, as a JSON list: ["https://library.example"]."""

    @property
    def keys_on(self) -> bool:
        return not is_loopback(self.host) if self.require_keys is None else self.require_keys

    @model_validator(mode="after")
    def _operator_key_is_strong(self) -> "GatewaySettings":
        key = self.operator_key
        if key is not None and len(key.get_secret_value()) < MIN_OPERATOR_KEY:
            raise ValueError(
                f"operator_key is shorter than {MIN_OPERATOR_KEY} characters; make one with"
                " `openssl rand -hex 32`"
            )
        return self

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin):
                raise ValueError(
                    f"cors_origins: {origin!r} is no origin; write it as https://host or"
                    " https://host:port, without a path and without *"
                )
        return origins

    @model_validator(mode="after")
    def _lifetimes_are_in_order(self) -> "GatewaySettings":
        if not self.cache_fresh_seconds <= self.cache_stale_seconds <= self.cache_kept_seconds:
            raise ValueError(
                "cache_fresh_seconds, cache_stale_seconds and cache_kept_seconds each include the"
                f" one before, but are {self.cache_fresh_seconds:g},"
                f" {self.cache_stale_seconds:g} and {self.cache_kept_seconds:g}"
            )
        if self.concurrency > self.max_concurrency:
            raise ValueError(
                f"concurrency ({self.concurrency}) is above max_concurrency"
                f" ({self.max_concurrency}); lower the first or raise the second"
            )
        return self

    @model_validator(mode="after")
    def _budgets_fit(self) -> "GatewaySettings":
        if self.budget_ms > self.max_budget_ms:
            raise ValueError(
                f"budget_ms ({self.budget_ms}) is above max_budget_ms ({self.max_budget_ms});"
                " lower the first or raise the second"
            )
        return self
