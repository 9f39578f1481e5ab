"""Addresses of Redis as people run it: one server, replicas behind Sentinel, or a cluster.

    redis://[user:password@]host[:6379][/0]
    redis+sentinel://[user:password@]host[:26379],host.../NAME[/0]
    redis+cluster://[user:password@]host[:6379],host...
    rediss://, rediss+sentinel://, rediss+cluster://

NAME is that of the master which the sentinels watch, and the last three are the same by TLS.
The part behind `?` may name `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths of PEM files),
`ssl_cert_reqs` (`required` or `none`), `ssl_check_hostname` (`true` or `false`), and for Sentinel
`sentinel_username` and `sentinel_password`. Special characters in names and passwords are
percent-encoded.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator

_FORMS = (
    "write redis://host:6379/0, redis+sentinel://host:26379,host:26379/NAME/0 or"
    " redis+cluster://host:6379,host:6379; rediss instead of redis for TLS"
)
_TLS_PARAMETERS = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
_SENTINEL_PARAMETERS = frozenset({"sentinel_username", "sentinel_password"})
_NODE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:,/?#@\s]+)(:(?P<port>\d{1,5}))?")
_PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}


class RedisKind(StrEnum):
    """The kinds of Redis installations that an address can name."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisTls:
    """The certificates of a TLS connection: those that the server is checked by, and the one that
    this side shows. Paths are of PEM files."""

    ca: str | None = None
    """Certificates to trust instead of the system's."""
    certificate: str | None = None
    key: str | None = None
    verify: bool = True
    check_host: bool = True

    def check(self) -> None:
        """Raises ValueError where a file cannot be read or is no certificate."""
        context = ssl.create_default_context()
        try:
            if self.ca:
                context.load_verify_locations(self.ca)
        except OSError as error:
            raise ValueError(f"ssl_ca_certs: {_reason(error, self.ca)}") from error
        try:
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            named = f"{self.certificate} with {self.key}" if self.key else self.certificate
            raise ValueError(f"ssl_certfile and ssl_keyfile: {_reason(error, named)}") from error

    def options(self) -> dict[str, str | bool | None]:
        """The options of redis-py's connections."""
        return {
            "ssl_ca_certs": self.ca,
            "ssl_certfile": self.certificate,
            "ssl_keyfile": self.key,
            "ssl_cert_reqs": "required" if self.verify else "none",
            "ssl_check_hostname": self.check_host and self.verify,
        }


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address of one Redis server, of its sentinels, or of a cluster."""

    kind: RedisKind
    nodes: tuple[tuple[str, int], ...]
    """Hosts and ports: the server, the sentinels, or some nodes of the cluster."""
    database: int = 0
    username: str | None = None
    password: str | None = None
    master: str = ""
    """Name of the master that the sentinels watch."""
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: RedisTls | None = None

    @classmethod
    def parse(cls, text: str) -> "RedisAddress":
        """Raises ValueError, whose message never shows a password."""
        scheme, _, rest = text.strip().partition("://")
        matched = re.fullmatch(r"redis(s?)(?:\+(sentinel|cluster))?", scheme.lower())
        if not matched or not rest:
            raise ValueError(f"is no address of a Redis: {_FORMS}")
        kind = RedisKind(matched[2] or "server")
        parts = urlsplit(f"//{rest}")
        _check_encoding(parts)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        master, database = _path(parts.path, kind)
        given = _parameters(parts.query, kind, tls=bool(matched[1]))
        return cls(
            kind=kind,
            nodes=_nodes(hosts, kind),
            database=database,
            username=unquote(username) or None,
            password=unquote(password) or None,
            master=master,
            sentinel_username=given.get("sentinel_username"),
            sentinel_password=given.get("sentinel_password"),
            tls=_tls(given) if matched[1] else None,
        )


def _check_encoding(parts: SplitResult) -> None:
    """Raises ValueError if a password ends the part of the address in which it stands. What follows
    would be told as a host or a parameter that is wrong, and so shown in logs."""
    known = _TLS_PARAMETERS | _SENTINEL_PARAMETERS
    unknown = [
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in known
    ]
    if parts.fragment or "@" in parts.path or any("@" in "".join(pair) for pair in unknown):
        raise ValueError(
            "holds a /, ? or # that begins nothing; in a name or password, special characters are"
            " percent-encoded: / is %2F, ? is %3F, # is %23, @ is %40"
        )


def _nodes(hosts: str, kind: RedisKind) -> tuple[tuple[str, int], ...]:
    nodes = []
    for text in hosts.split(","):
        matched = _NODE.fullmatch(text)
        if matched is None or int(matched["port"] or 1) not in range(1, 65_536):
            raise ValueError(f"{text!r} is no host:port: {_FORMS}")
        nodes.append((matched["host"].strip("[]"), int(matched["port"] or _PORTS[kind])))
    if kind is RedisKind.SERVER and len(nodes) > 1:
        raise ValueError(
            "names several hosts: those of Sentinel are written redis+sentinel://, those of a"
            " cluster redis+cluster://"
        )
    return tuple(nodes)


def _path(path: str, kind: RedisKind) -> tuple[str, int]:
    """The name of the master, and the number of the database."""
    steps = [unquote(step) for step in path.split("/") if step]
    master = ""
    if kind is RedisKind.SENTINEL:
        if not steps:
            raise ValueError(
                "lacks the name of the master that Sentinel watches: write it behind the hosts, as"
                " in redis+sentinel://host:26379/mymaster/0"
            )
        master = steps.pop(0)
    database = steps.pop(0) if steps else "0"
    if steps or not database.isascii() or not database.isdigit():
        raise ValueError(f"ends in no number of a database: {_FORMS}")
    if kind is RedisKind.CLUSTER and int(database):
        raise ValueError("names a database, but a cluster has only number 0")
    return master, int(database)


def _parameters(query: str, kind: RedisKind, *, tls: bool) -> dict[str, str]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    known = _TLS_PARAMETERS if tls else frozenset()
    known |= _SENTINEL_PARAMETERS if kind is RedisKind.SENTINEL else frozenset()
    if unknown := sorted(given.keys() - known):
        allowed = ", ".join(sorted(known)) or "none for such an address; TLS is rediss://"
        raise ValueError(f"has the parameter {unknown[0]}; those allowed are: {allowed}")
    return given


def _tls(given: Mapping[str, str]) -> RedisTls:
    verify = given.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    check_host = given.get("ssl_check_hostname", "true").lower()
    if verify not in ("required", "none"):
        raise ValueError("ssl_cert_reqs is neither required nor none")
    if check_host not in ("true", "false"):
        raise ValueError("ssl_check_hostname is neither true nor false")
    if "ssl_keyfile" in given and "ssl_certfile" not in given:
        raise ValueError("ssl_keyfile needs ssl_certfile beside it")
    return RedisTls(
        given.get("ssl_ca_certs"),
        given.get("ssl_certfile"),
        given.get("ssl_keyfile"),
        verify=verify == "required",
        check_host=check_host == "true",
    )


def _reason(error: OSError, path: str | None) -> str:
    reason = "is no valid PEM file" if isinstance(error, ssl.SSLError) else error.strerror
    return f"{path}: {reason}"


def _usable(text: str) -> str:
    tls = RedisAddress.parse(text).tls
    if tls is not None:
        tls.check()
    return text


def _usable_for_state(text: str) -> str:
    if RedisAddress.parse(text).kind is RedisKind.CLUSTER:
        raise ValueError(
            "a Redis Cluster cannot hold the state, because Celery, whose broker it is, and"
            " transactions over several keys do not work on one; name a single server, or replicas"
            " behind Sentinel (redis+sentinel://)"
        )
    return _usable(text)


CacheRedisUrl = Annotated[str, AfterValidator(_usable)]
"""A setting with the address of a cache: a server, Sentinel or a cluster."""
StateRedisUrl = Annotated[str, AfterValidator(_usable_for_state)]
"""A setting with the address of the state store: a server or Sentinel."""
