"""Settings with which a service reaches Milvus, under its own prefix."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.common.calls.proxies import asks_proxies
from services.common.settings import ServiceSettings, ServiceUrl

_CHANNEL_OPTIONS = {
    "grpc.initial_reconnect_backoff_ms": 100,
    # A longer backoff would notice the end of a long outage minutes late.
    "grpc.max_reconnect_backoff_ms": 1_000,
    # A server hangs up on a client that pings more often: "too many pings".
    "grpc.keepalive_time_ms": 300_000,
    "grpc.keepalive_permit_without_calls": 0,
}


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Where Milvus is, and how it is entered."""

    uri: str
    token: str | None = None
    database: str = ""
    """Name of the database; empty for the server's default."""
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    prefix: str = ""
    """Prefix of the names of the settings that gave the address, for messages."""

    def options(self) -> dict[str, Any]:
        """The arguments of pymilvus's clients."""
        proxies = {"grpc.enable_http_proxy": int(asks_proxies(self.uri))}
        options: dict[str, Any] = {"uri": self.uri, "token": self.token or ""}
        options["grpc_options"] = _CHANNEL_OPTIONS | proxies
        if self.database:
            options["db_name"] = self.database
        if self.certificate:
            options |= {"client_pem_path": str(self.certificate), "client_key_path": str(self.key)}
            options["ca_pem_path"] = str(self.ca)
        elif self.ca:
            options["server_pem_path"] = str(self.ca)
        return options


class MilvusSettings(ServiceSettings):
    """Settings of a service that asks Milvus."""

    milvus_uri: ServiceUrl = "http://127.0.0.1:19530"
    """Address of Milvus; https:// for TLS."""
    milvus_token: SecretStr | None = None
    """Token of Milvus, `user:password`; none if Milvus asks for none. A line end behind it, as that
    of a file that it comes from, is left out."""
    milvus_database: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    """Database of Milvus that holds the collections, which must exist; empty for its default."""
    milvus_ca: Path | None = None
    """PEM file with the certificates that Milvus's is checked against; by default the public
    authorities that the client knows."""
    milvus_certificate: Path | None = None
    """PEM file with the certificate that is shown to Milvus; none if it asks for none."""
    milvus_key: Path | None = None
    """PEM file with the private key of that certificate."""

    @field_validator("milvus_token")
    @classmethod
    def _without_line_end(cls, token: SecretStr | None) -> SecretStr | None:
        return token and SecretStr(token.get_secret_value().rstrip("\r\n"))

    @field_validator("milvus_uri")
    @classmethod
    def _ends_at_the_port(cls, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.path.strip("/") or parts.username:
            raise ValueError(
                "ends at the port: the database has a setting of its own, MILVUS_DATABASE, and"
                " user and password are MILVUS_TOKEN"
            )
        return uri

    @model_validator(mode="after")
    def _certificates_can_be_used(self) -> "MilvusSettings":
        prefix = self.model_config["env_prefix"]
        files = (self.milvus_ca, self.milvus_certificate, self.milvus_key)
        if not any(files):
            return self
        if not self.milvus_uri.startswith("https://"):
            raise ValueError(
                f"{prefix}MILVUS_CA, MILVUS_CERTIFICATE and MILVUS_KEY are for TLS: write"
                f" {prefix}MILVUS_URI with https://"
            )
        if (self.milvus_certificate is None) != (self.milvus_key is None):
            raise ValueError(f"{prefix}MILVUS_CERTIFICATE and MILVUS_KEY belong together")
        if self.milvus_certificate and not self.milvus_ca:
            raise ValueError(f"{prefix}MILVUS_CERTIFICATE needs {prefix}MILVUS_CA beside it")
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self.milvus_ca)
        except OSError as error:
            raise ValueError(f"{prefix}MILVUS_CA: {_reason(error)}") from error
        try:
            if self.milvus_certificate:
                context.load_cert_chain(self.milvus_certificate, self.milvus_key)
        except OSError as error:
            named = f"{prefix}MILVUS_CERTIFICATE with MILVUS_KEY"
            raise ValueError(f"{named}: {_reason(error)}") from error
        return self

    def milvus(self) -> MilvusAddress:
        """Where Milvus is, and how it is entered."""
        token = self.milvus_token
        return MilvusAddress(
            self.milvus_uri,
            token.get_secret_value() if token else None,
            self.milvus_database,
            self.milvus_ca,
            self.milvus_certificate,
            self.milvus_key,
            str(self.model_config["env_prefix"]),
        )


def _reason(error: OSError) -> str:
    return "no valid PEM file" if isinstance(error, ssl.SSLError) else str(error.strerror)
