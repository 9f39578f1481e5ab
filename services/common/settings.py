"""Settings that every service has; each service adds its own under its environment prefix."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.common.calls.addresses import is_http_address


def _service_url(given: str) -> str:
    url = given.strip()
    if not is_http_address(url):
        raise ValueError("this is no address of a service; write http://host:port")
    return url


ServiceUrl = Annotated[str, AfterValidator(_service_url)]
"""Address of another service."""
OptionalServiceUrl = Annotated[str, AfterValidator(lambda url: url and _service_url(url))]
"""Address of another service; an empty one means that there is none."""


def _secret_of_header(given: SecretStr) -> SecretStr:
    secret = given.get_secret_value().strip()
    if not secret:
        raise ValueError(
            "the secret is empty; give it a value, or leave the variable out if there is to be none"
        )
    if not re.fullmatch(r"[!-~]+", secret):
        raise ValueError(
            "holds a space, a line break or a character beyond ASCII, which no header can carry"
        )
    return SecretStr(secret)


HeaderSecret = Annotated[SecretStr, AfterValidator(_secret_of_header)]
"""A secret that travels in a header, which cannot hold the line end of a file that it comes from:
white space around it is left out."""


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('this is no JSON list; write ["first", "second"]') from None


TextList = Annotated[list[str], NoDecode, BeforeValidator(_decoded)]
"""Texts, in the environment a JSON list."""
PathList = Annotated[list[Path], NoDecode, BeforeValidator(_decoded)]
"""Paths, in the environment a JSON list."""


LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda level: level.upper() if isinstance(level, str) else level),
]
"""Name of a level of logging, in the environment in any case."""


class ServiceSettings(BaseSettings):
    """The base of all settings. They are read once at start and handed to `create_app`.

    Nothing else reads the environment. The string below each setting describes it in
    docs/settings.md.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False
    )

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` means all addresses of the machine."""
    port: int = Field(ge=0, le=65535)
    """TCP port to listen on; 0 lets the system choose a free one."""
    log_level: LogLevel = "INFO"
    """Lowest level of log lines that are written: DEBUG, INFO, WARNING, ERROR or CRITICAL."""
    internal_token: HeaderSecret | None = None
    """Token that calls between services must carry, the same in all services. Without one, the
    services answer everybody who can reach them, pages in a browser excepted. White space around it
    is left out."""
    drain_seconds: float = Field(default=32.0, gt=0)
    """Seconds for which a stopping service waits for requests in flight. The longest budget of a
    search is 30 s."""
    head_seconds: float = Field(default=20.0, gt=0)
    """Seconds in which the head of a request must arrive; slower connections are closed."""
    trace_endpoint: ServiceUrl | None = None
    """Base address of an OTLP/HTTP collector, such as http://collector:4318. Without one, nothing
    is traced."""
    trace_sample_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of requests that are traced, of those whose caller has not decided on it (0 to 1)."""

    @model_validator(mode="before")
    @classmethod
    def _with_empty_secrets(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Every other empty variable counts as not set. An empty secret may come from a store that
        was filled by mistake, and a service without one is open to all."""
        variables = {
            name: f"{cls.model_config['env_prefix']}{name}".upper()
            for name, field in cls.model_fields.items()
            if HeaderSecret in get_args(field.annotation)
        }
        return {name: "" for name in variables if os.environ.get(variables[name]) == ""} | given

    def token(self) -> str | None:
        """The internal token in clear text, or None if there is none."""
        return self.internal_token.get_secret_value() if self.internal_token else None


Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], service: str) -> Settings:
    """The settings of `service` from the environment.

    Ends the process with exit code 1 and one line that names the variables to change, if some
    value is not valid.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config["env_prefix"])
        reasons = [
            _reason(prefix, item["loc"], item["msg"].removeprefix("Value error, "))
            for item in error.errors()
        ]
        sys.stderr.write(f"{service}: {'; '.join(reasons)}\n")
        raise SystemExit(1) from error


def _reason(prefix: str, place: tuple[int | str, ...], message: str) -> str:
    """The variable with what is wrong with it; of variables that do not fit together, the message
    names each as `{name}`."""
    if not place:
        return re.sub(r"\{(\w+)\}", lambda name: f"{prefix}{name[1].upper()}", message)
    return f"{prefix}{'_'.join(map(str, place))}".upper() + f": {message}"
