"""Addresses of Redis, and what is refused at the start of a service, in words."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from services.common.redis.address import RedisAddress, RedisKind, RedisTls
from tests.redis_sets import certificates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost", RedisAddress(RedisKind.SERVER, (("localhost", 6379),))),
        (
            "redis://:p%40ss%2F@[::1]:7000/3",
            RedisAddress(RedisKind.SERVER, (("::1", 7000),), database=3, password="p@ss/"),
        ),
        (
            "rediss://app:word@db:6380/0?ssl_ca_certs=/c/ca.pem&ssl_cert_reqs=none",
            RedisAddress(
                RedisKind.SERVER,
                (("db", 6380),),
                username="app",
                password="word",
                tls=RedisTls(ca="/c/ca.pem", verify=False),
            ),
        ),
        (
            "redis+sentinel://:word@s1,s2:26380/papers/2?sentinel_password=watch",
            RedisAddress(
                RedisKind.SENTINEL,
                (("s1", 26379), ("s2", 26380)),
                database=2,
                password="word",
                master="papers",
                sentinel_password="watch",
            ),
        ),
        (
            "rediss+cluster://n1:7001,n2:7002",
            RedisAddress(RedisKind.CLUSTER, (("n1", 7001), ("n2", 7002)), tls=RedisTls()),
        ),
    ],
)
def test_an_address_is_read(text: str, expected: RedisAddress) -> None:
    assert RedisAddress.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("localhost:6379", "is no address of a Redis: write redis://host:6379/0"),
        ("sentinel://h:26379/papers", "is no address of a Redis"),
        ("redis://", "is no address of a Redis"),
        ("redis://a:1,b:2", "names several hosts"),
        ("redis://host:99999", "'host:99999' is no host:port"),
        ("redis://host/zero", "ends in no number of a database"),
        ("redis+sentinel://h:26379", "lacks the name of the master that Sentinel watches"),
        ("redis+cluster://h:1/3", "a cluster has only number 0"),
        ("redis://h?ssl_ca_certs=/ca.pem", "has the parameter ssl_ca_certs; those allowed are: no"),
        ("rediss://h?ssl=yes", "has the parameter ssl; those allowed are: ssl_ca_certs"),
        ("rediss://h?ssl_cert_reqs=maybe", "neither required nor none"),
        ("rediss://h?ssl_keyfile=/key.pem", "ssl_keyfile needs ssl_certfile"),
    ],
)
def test_what_is_no_address_is_told(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        RedisAddress.parse(text)


@pytest.mark.parametrize("sign", ["#", "?", "/", "#@", "?a=", "?ssl=x&"])
@pytest.mark.parametrize(
    "form",
    [
        "redis://:{}@host:6379/0",
        "rediss://user:{}@host",
        "redis+sentinel://:{}@a:26379,b:26379/papers/0",
        "redis+cluster://:{}@a:6379",
    ],
)
def test_no_message_shows_a_password_whose_signs_are_not_encoded(form: str, sign: str) -> None:
    with pytest.raises(ValueError, match="percent-encoded") as refusal:
        RedisAddress.parse(form.format(f"open{sign}sesame"))
    assert "open" not in str(refusal.value)
    assert "sesame" not in str(refusal.value)


def test_a_sign_that_may_stand_in_a_parameter() -> None:
    address = RedisAddress.parse("redis+sentinel://h/papers/0?sentinel_password=a@b")
    assert address.sentinel_password == "a@b"


def _start(module: str, **settings: str) -> str:
    """The one line with which a program that cannot start ends."""
    ended = subprocess.run(
        [sys.executable, "-m", module], env=settings, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    ("module", "setting"),
    [
        ("services.gateway", "XUNWEN_GATEWAY_STATE_REDIS_URL"),
        ("services.indexer.worker", "XUNWEN_INDEXER_STATE_REDIS_URL"),
    ],
)
def test_a_cluster_is_refused_for_the_state(module: str, setting: str) -> None:
    line = _start(module, **{setting: "redis+cluster://:secret@node:6379"})
    assert f"{setting}: " in line
    assert "Celery" in line
    assert "redis+sentinel://" in line
    assert "secret" not in line


def test_certificates_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    setting = "XUNWEN_GATEWAY_CACHE_REDIS_URL"
    absent = _start("services.gateway", **{setting: "rediss://h?ssl_ca_certs=/absent/ca.pem"})
    assert f"{setting}: " in absent
    assert "ssl_ca_certs: /absent/ca.pem: No such file" in absent
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing", "utf-8")
    line = _start("services.gateway", **{setting: f"rediss://h?ssl_ca_certs={broken}"})
    assert f"ssl_ca_certs: {broken}: is no valid PEM file" in line
    made = certificates(tmp_path / "certificates")
    wrong = f"rediss://h?ssl_certfile={made.client}&ssl_keyfile={made.server_key}"
    assert "ssl_certfile and ssl_keyfile: " in _start("services.gateway", **{setting: wrong})
