"""The way to reach S3-compatible object stores.

Address and keys come by the usual AWS variables.
"""

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal

import fsspec
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
from pydantic import AfterValidator, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

FAILURES = (OSError, BotoCoreError)
"""Errors that a disk or an object store raises."""
_SCHEME = "s3://"
_CONNECT_SECONDS = 5
"""Seconds until an attempt to reach the store is given up; the library waits a minute."""
_RETRIES = {"mode": "standard", "max_attempts": 3}
"""Attempts at each call. The library makes five with long pauses, and an upload takes several
calls, so that its sender would wait 20 seconds to hear that the store is away."""


def _storage(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if not separator:
        return url
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError:
        raise ValueError(f"the package that reads {scheme}:// is not installed") from None
    except ValueError:
        raise ValueError(
            f"nothing reads {scheme}://; write a directory, or s3://bucket/prefix"
        ) from None
    return url


StorageUrl = Annotated[str, AfterValidator(_storage)]
"""A setting with the place of objects: a directory, or an address that fsspec reads."""


class ObjectStoreSettings(BaseSettings):
    """Settings of every program that reads or writes objects, under the prefix XUNWEN_S3_."""

    model_config = SettingsConfigDict(
        env_prefix="XUNWEN_S3_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    addressing: Literal["auto", "path", "virtual"] = "auto"
    """Where the bucket's name stands: `path` behind the host, `virtual` in front of it, as Aliyun
    OSS and Tencent COS ask for. `auto` takes `path` where AWS_ENDPOINT_URL is set."""
    ca: Path | None = None
    """PEM file with the certificates that the store's is checked against; by default those of
    AWS_CA_BUNDLE, else the public authorities."""

    @field_validator("ca")
    @classmethod
    def _can_be_used(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                ssl.create_default_context().load_verify_locations(path)
        except OSError as error:
            reason = "is no valid PEM file" if isinstance(error, ssl.SSLError) else error.strerror
            raise ValueError(f"{path}: {reason}") from error
        return path

    def options(self, url: str) -> dict[str, Any]:
        """The arguments of fsspec for the file system of `url`."""
        if not url.startswith(_SCHEME):
            return {}
        config: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "retries": _RETRIES}
        if self.addressing != "auto":
            config["s3"] = {"addressing_style": self.addressing}
        options: dict[str, Any] = {"config_kwargs": config}
        if self.ca is not None:
            options["client_kwargs"] = {"verify": str(self.ca)}
        return options
