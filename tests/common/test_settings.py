"""Settings that cannot be used are named before a service starts."""

from typing import get_origin

import pytest
from pydantic_settings import BaseSettings

from services.common.settings import read_settings
from services.gateway.settings import GatewaySettings
from services.indexer.settings import IndexerSettings
from services.rank.settings import RankSettings
from services.recall.settings import RecallSettings
from xunwen.embedded.settings import EmbeddedSettings

_VARIABLES = [
    ("gateway", GatewaySettings, "XUNWEN_GATEWAY_RECALL_URL"),
    ("gateway", GatewaySettings, "XUNWEN_GATEWAY_RANK_URL"),
    ("gateway", GatewaySettings, "XUNWEN_GATEWAY_INDEXER_URL"),
    ("indexer", IndexerSettings, "XUNWEN_INDEXER_URL"),
    ("indexer", IndexerSettings, "XUNWEN_INDEXER_RECALL_URL"),
    ("indexer", IndexerSettings, "XUNWEN_INDEXER_RANK_URL"),
    ("indexer", IndexerSettings, "XUNWEN_INDEXER_MILVUS_URI"),
    ("recall", RecallSettings, "XUNWEN_RECALL_MILVUS_URI"),
]


@pytest.mark.parametrize(("service", "kind", "variable"), _VARIABLES)
@pytest.mark.parametrize(
    "address",
    [
        *("rank:8002", "127.0.0.1:8002", "http:/rank", "ftp://rank", "http://:80", "http://[::1"),
        *("http://rank:99999", "http://rank:-1", "http://rank:web", "http://rank..", "http://xn--"),
        *("http://rank/?a=b", "http://rank/#a", "http://ra\nnk"),
    ],
)
def test_an_address_that_no_service_has(
    service: str,
    kind: type[GatewaySettings | IndexerSettings | RecallSettings],
    variable: str,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, address)
    with pytest.raises(SystemExit):
        read_settings(kind, service)
    said = capsys.readouterr().err
    assert said.startswith(f"{service}: {variable}: ")
    assert "write http://host:port" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "address",
    [
        *("http://rank", "https://rank:8002/prefix/", "http://[::1]:8002", "http://u:p@rank"),
        *("http://my_rank.search.svc:80", "http://中文"),
    ],
)
def test_an_address_of_a_service(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUNWEN_GATEWAY_RANK_URL", f"{address}\n")
    assert read_settings(GatewaySettings, "gateway").rank_url == address


def test_address_and_token_of_milvus_do_not_have_the_line_ends_of_their_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XUNWEN_RECALL_MILVUS_URI", "http://milvus:19530\n")
    monkeypatch.setenv("XUNWEN_RECALL_MILVUS_TOKEN", "root:two words \r\n")
    address = read_settings(RecallSettings, "recall").milvus()
    assert (address.uri, address.token) == ("http://milvus:19530", "root:two words ")


def test_no_ranker_is_possible_where_it_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUNWEN_INDEXER_RANK_URL", "")
    assert read_settings(IndexerSettings, "indexer").rank_url == ""


_SECRET = "0123456789abcdef" * 2
_SECRETS = [
    ("gateway", GatewaySettings, "XUNWEN_GATEWAY_INTERNAL_TOKEN"),
    ("gateway", GatewaySettings, "XUNWEN_GATEWAY_OPERATOR_KEY"),
    ("indexer", IndexerSettings, "XUNWEN_INDEXER_INTERNAL_TOKEN"),
]


@pytest.mark.parametrize(("service", "kind", "variable"), _SECRETS)
def test_a_secret_does_not_have_the_line_end_of_its_file(
    service: str,
    kind: type[GatewaySettings | IndexerSettings],
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, f" {_SECRET}\r\n")
    name = variable.removeprefix(kind.model_config["env_prefix"]).lower()
    assert getattr(read_settings(kind, service), name).get_secret_value() == _SECRET


@pytest.mark.parametrize(("service", "kind", "variable"), _SECRETS)
@pytest.mark.parametrize("secret", ["", "\n", "  ", f"{_SECRET}\n{_SECRET}", f"密{_SECRET}"])
def test_a_secret_that_no_header_can_hold(
    service: str,
    kind: type[GatewaySettings | IndexerSettings],
    variable: str,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, secret)
    with pytest.raises(SystemExit):
        read_settings(kind, service)
    said = capsys.readouterr().err
    assert said.startswith(f"{service}: {variable}: ")
    assert _SECRET not in said


_KINDS: list[type[BaseSettings]] = [GatewaySettings, RecallSettings, RankSettings, IndexerSettings]
_ALL: list[type[BaseSettings]] = [*_KINDS, EmbeddedSettings]


def _refused(
    kind: type[BaseSettings],
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """The one line with which a service ends that finds these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        read_settings(kind, "service")
    said = capsys.readouterr().err
    assert said.startswith("service: ")
    assert said.count("\n") == 1
    assert "Value error" not in said
    return said.removeprefix("service: ").rstrip()


def _lists(kind: type[BaseSettings]) -> list[str]:
    fields = kind.model_fields.items()
    return [name for name, field in fields if get_origin(field.annotation) is list]


_LISTS = [(kind, name) for kind in _ALL for name in _lists(kind)]


@pytest.mark.parametrize(("kind", "name"), _LISTS)
def test_a_list_that_is_no_json(
    kind: type[BaseSettings],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variable = f"{kind.model_config['env_prefix']}{name}".upper()
    said = _refused(kind, {variable: "a,b"}, monkeypatch, capsys)
    assert said == f'{variable}: this is no JSON list; write ["first", "second"]'


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"BUDGET_MS": "50000"}, "XUNWEN_GATEWAY_BUDGET_MS (50000) is above"),
        ({"CONCURRENCY": "300"}, "is above XUNWEN_GATEWAY_MAX_CONCURRENCY (256)"),
        ({"CACHE_KEPT_SECONDS": "1"}, "and XUNWEN_GATEWAY_CACHE_KEPT_SECONDS each include"),
        ({"OPERATOR_KEY": "short"}, "XUNWEN_GATEWAY_OPERATOR_KEY: is shorter than 32 characters"),
        ({"CORS_ORIGINS": '["*"]'}, "XUNWEN_GATEWAY_CORS_ORIGINS: '*' is no origin"),
        ({"LOG_LEVEL": "verbose"}, "XUNWEN_GATEWAY_LOG_LEVEL: "),
        ({"TRACE_ENDPOINT": "collector:4318"}, "XUNWEN_GATEWAY_TRACE_ENDPOINT: "),
        ({"DRAIN_SECONDS": "inf"}, "XUNWEN_GATEWAY_DRAIN_SECONDS: "),
    ],
)
def test_the_variable_at_fault_is_named(
    variables: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {f"XUNWEN_GATEWAY_{name}": value for name, value in variables.items()}
    assert words in _refused(GatewaySettings, given, monkeypatch, capsys)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_level_of_logging_is_written_in_any_case(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{kind.model_config['env_prefix']}LOG_LEVEL", "debug")
    assert read_settings(kind, "service").model_dump()["log_level"] == "DEBUG"


@pytest.mark.parametrize("kind", _ALL)
def test_an_empty_variable_counts_as_not_set(
    kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kind().model_dump()
    for name in set(kind.model_fields) - {"internal_token", "operator_key"}:
        monkeypatch.setenv(f"{kind.model_config['env_prefix']}{name}".upper(), "")
    assert read_settings(kind, "service").model_dump() == expected


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("STORAGE_URL", "foo://jobs/x", "nothing reads foo://; write a directory, or s3://"),
        ("IMPORT_URL", "gs://jobs/x", "the package that reads gs:// is not installed"),
        ("SOURCE_ROOTS", '["s3://a", "oss://b"]', "'oss://b' is neither a directory nor"),
    ],
)
def test_a_storage_that_nothing_reads(
    name: str,
    value: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variable = f"XUNWEN_INDEXER_{name}"
    said = _refused(IndexerSettings, {variable: value}, monkeypatch, capsys)
    assert said.startswith(f"{variable}: {words}")


@pytest.mark.parametrize("value", ["/jobs", "var/jobs", "file:///jobs", "s3://jobs/x"])
def test_storages(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUNWEN_INDEXER_STORAGE_URL", value)
    assert read_settings(IndexerSettings, "indexer").storage_url == value
