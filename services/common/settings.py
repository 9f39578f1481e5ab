"""Settings that every service has. Each service subclasses with its own environment prefix."""

import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Frozen, read once at start and handed to `create_app`; nothing else reads the environment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    log_level: str = "INFO"
    internal_token: SecretStr | None = None
    """When set, calls between services must carry it."""
    drain_seconds: float = Field(default=32.0, gt=0)
    """How long a stopping service waits for requests in flight: the longest budget is 30 s."""
    head_seconds: float = Field(default=20.0, gt=0)
    """In which the head of a request must have arrived."""
    trace_endpoint: str | None = None
    """An OTLP/HTTP collector such as http://collector:4318; none: no traces."""
    trace_sample_ratio: float = Field(default=1.0, ge=0, le=1)
    """Of the requests whose caller has not decided, how many are traced."""

    def token(self) -> str | None:
        return self.internal_token.get_secret_value() if self.internal_token else None


Settings = TypeVar("Settings", bound=ServiceSettings)


def read_settings(kind: type[Settings], service: str) -> Settings:
    """The settings from the environment. Exits 1 with one line that names what to change."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config["env_prefix"]
        reasons = [
            f"{prefix}{'_'.join(map(str, item['loc']))}".upper() + f": {item['msg']}"
            for item in error.errors()
        ]
        sys.stderr.write(f"{service}: {'; '.join(reasons)}\n")
        raise SystemExit(1) from error
