"""Settings of the gateway, from the environment with the prefix XUNWEN_GATEWAY_."""

import re

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.common.redis.address import CacheRedisUrl, StateRedisUrl
from services.common.server.foreign_pages import is_loopback
from services.common.settings import HeaderSecret, ServiceSettings, ServiceUrl, TextList

MIB = 1024 * 1024
MIN_OPERATOR_KEY = 32


def _as_browsers_write(origin: str) -> str:
    """The origin in lower case and without the port that its scheme implies."""
    written = origin.lower()
    return written.removesuffix(":443" if written.startswith("https:") else ":80")


class GatewaySettings(ServiceSettings):
    """Addresses of the services behind, budgets, cache, load limits, and access."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="XUNWEN_GATEWAY_")

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port to listen on; 0 lets the system choose a free one."""
    recall_url: ServiceUrl = "http://127.0.0.1:8001"
    """Address of the recall service."""
    rank_url: ServiceUrl = "http://127.0.0.1:8002"
    """Address of the rank service."""
    indexer_url: ServiceUrl = "http://127.0.0.1:8003"
    """Address of the indexer."""
    state_redis_url: StateRedisUrl = "redis://127.0.0.1:6379/0"
    """Redis that holds API keys, index versions and query rules, a server or replicas behind
    Sentinel. It must be durable and evict nothing."""
    cache_redis_url: CacheRedisUrl = "redis://127.0.0.1:6380/0"
    """Redis that caches answers: a server, replicas behind Sentinel, or a cluster. It may lose
    everything; searches go on without it."""

    budget_ms: int = Field(default=3_000, ge=10, le=60_000)
    """Time that a search may take if its request names no budget."""
    max_budget_ms: int = Field(default=30_000, ge=10, le=60_000)
    """Longest time that a search may take; a request that names a larger budget gets this one."""
    recall_share: float = Field(default=0.85, gt=0, lt=1)
    """Share of the budget that recall may use of a search that is also ranked; the rest is for
    rank."""

    cache_fresh_seconds: float = Field(default=300.0, gt=0)
    """How long a cached answer counts as fresh. No answer outlives its index version."""
    cache_stale_seconds: float = Field(default=3_600.0, gt=0)
    """Age up to which an answer that is no longer fresh is served while it is computed
    again."""
    cache_kept_seconds: float = Field(default=86_400.0, gt=0)
    """Age up to which an answer is kept, to be served while recall does not answer."""
    cache_local_mb: int = Field(default=64, ge=0)
    """Memory of this process for cached answers, in front of the Redis that replicas share."""
    warm_queries: int = Field(default=50, ge=0, le=1000)
    """Number of a collection's most frequent queries that are computed after a rebuild."""

    concurrency: int = Field(default=16, ge=2)
    """Searches that are computed at once after the start; measured latencies adjust the
    number."""
    max_concurrency: int = Field(default=256, ge=2)
    """Upper bound of the adjusted number of searches that are computed at once."""

    max_requests: int = Field(default=1_000, ge=1)
    """Requests of all kinds that may be open at once; further ones are refused at once with
    503."""
    max_body_bytes: int = Field(default=16 * MIB, ge=1024)
    """Largest body of a request, uploads of documents excepted."""
    max_upload_bytes: int = Field(default=4096 * MIB, ge=1024)
    """Largest body of an upload of documents."""
    body_seconds: float = Field(default=30.0, gt=0)
    """Deadline for receiving a body; for uploads, the longest pause between two blocks."""

    require_keys: bool | None = None
    """Whether calls must carry an API key. If it is not set, keys are needed unless the
    gateway listens on loopback only."""
    operator_key: HeaderSecret | None = None
    """An API key with all rights, of at least 32 characters, that works without the state
    store."""
    cors_origins: TextList = Field(default_factory=list)
    """Origins whose web pages may call the API, as a JSON list such as
    ["https://library.example"]. Where keys are off, pages of others can change nothing, and a
    gateway on loopback answers under no other names than those here and this machine's."""

    @property
    def keys_on(self) -> bool:
        """Whether calls must carry an API key."""
        return not is_loopback(self.host) if self.require_keys is None else self.require_keys

    @field_validator("operator_key")
    @classmethod
    def _operator_key_is_strong(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < MIN_OPERATOR_KEY:
            raise ValueError(
                f"is shorter than {MIN_OPERATOR_KEY} characters; make one with"
                " `openssl rand -hex 32`"
            )
        return key

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin):
                raise ValueError(
                    f"{origin!r} is no origin; write it as https://host or"
                    " https://host:port, without a path and without *"
                )
        return [_as_browsers_write(origin) for origin in origins]

    @model_validator(mode="after")
    def _lifetimes_are_in_order(self) -> "GatewaySettings":
        if not self.cache_fresh_seconds <= self.cache_stale_seconds <= self.cache_kept_seconds:
            raise ValueError(
                "{cache_fresh_seconds}, {cache_stale_seconds} and {cache_kept_seconds} each include"
                f" the one before, but are {self.cache_fresh_seconds:g},"
                f" {self.cache_stale_seconds:g} and {self.cache_kept_seconds:g}"
            )
        if self.concurrency > self.max_concurrency:
            raise ValueError(
                f"{{concurrency}} ({self.concurrency}) is above {{max_concurrency}}"
                f" ({self.max_concurrency}); lower the first or raise the second"
            )
        return self

    @model_validator(mode="after")
    def _budgets_fit(self) -> "GatewaySettings":
        if self.budget_ms > self.max_budget_ms:
            raise ValueError(
                f"{{budget_ms}} ({self.budget_ms}) is above {{max_budget_ms}}"
                f" ({self.max_budget_ms});"
                " lower the first or raise the second"
            )
        return self
