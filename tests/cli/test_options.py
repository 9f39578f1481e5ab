"""The options of searches and jobs are the same for HTTP, the Python client and the commands."""

import inspect
import json
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from services.common.wire.jobs import JobOptions
from services.gateway.app import create_app
from services.gateway.search.query.schemas import SearchOptions
from services.gateway.settings import GatewaySettings
from tests.cli.conftest import Xunwen
from tests.client.scripted import ANSWER, ScriptedGateway, job
from xunwen.cli.main import app
from xunwen.client import Client
from xunwen.client import SearchOptions as ClientOptions

PATHS: dict[str, Any] = create_app(GatewaySettings()).openapi()["paths"]


def options_of(command: str) -> set[str]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {parameter.name or "" for parameter in group.commands[command].params}


def query_of(method: str, path: str) -> set[str]:
    parameters = PATHS[path][method]["parameters"]
    return {each["name"] for each in parameters if each["in"] == "query"}


def test_options_of_a_search() -> None:
    wanted = set(SearchOptions.model_fields)
    assert set(ClientOptions.__annotations__) == wanted
    assert options_of("search") - {"query", "as_json", "cite"} == wanted
    assert query_of("get", "/v1/search") - {"q"} == wanted


def test_options_of_a_job() -> None:
    wanted = set(JobOptions.model_fields)
    own = {"self", "input", "idempotency_key"}
    assert set(inspect.signature(Client.index).parameters) - own == wanted
    assert options_of("index") - {"files", "idempotency_key", "wait", "as_json"} == wanted
    assert query_of("post", "/v1/index-jobs") == wanted


def test_every_option_of_a_search_arrives(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(200, ANSWER)
    words = ["search", "语言", "-c", "notes", "-k", "3", "--recall-k", "50", "--mode", "dense"]
    words += ["--no-rank", "--diversity", "0.5", "--budget-ms", "900", "--explain"]
    words += ["--field", "title", "--field", "year", "--filter", '{"year": 2015}']
    words += ["--boost", '{"field": "year", "recency": "5y"}']
    assert xunwen(*words).code == 0
    assert gateway.asked[0].json == {
        "query": "语言",
        "collection": "notes",
        "top_k": 3,
        "recall_k": 50,
        "mode": "dense",
        "rank": False,
        "diversity": 0.5,
        "budget_ms": 900,
        "explain": True,
        "fields": ["title", "year"],
        "filter": {"year": 2015},
        "boosts": [{"field": "year", "recency": "5y"}],
    }


def test_a_source_is_read_by_the_server(gateway: ScriptedGateway, xunwen: Xunwen) -> None:
    gateway.answer(202, {"job_id": "j1", "state": "queued"})
    gateway.answer(200, job("queued"))
    words = ("index", "-c", "notes", "--source", "s3://library/a.csv", "--no-wait", "--json")
    ran = xunwen(*words, "--vectors", "s3://library/a.npy", "--encoder", "0123")
    assert json.loads(ran.out)["id"] == "j1"
    assert "source=s3%3A%2F%2Flibrary%2Fa.csv" in gateway.asked[0].path
    assert "vectors=s3%3A%2F%2Flibrary%2Fa.npy" in gateway.asked[0].path
    assert "encoder=0123" in gateway.asked[0].path


@pytest.mark.parametrize(
    "words", [("index", "-c", "a"), ("index", "-c", "a", "b", "--source", "c")]
)
def test_a_file_or_a_source(
    words: tuple[str, ...], gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    ran = xunwen(*words, "-c", "a")
    assert (ran.code, gateway.asked) == (2, [])


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "list"),
        ("keys", "create", "a"),
        ("keys", "rotate", "a"),
        ("keys", "revoke", "a"),
        ("keys", "audit"),
        ("tune",),
    ],
)
def test_another_gateway_is_not_mistaken_for_this_machine(
    words: tuple[str, ...], gateway: ScriptedGateway, xunwen: Xunwen
) -> None:
    """The fixture sets XUNWEN_URL to the scripted gateway."""
    for start in ((), ("--url", "http://search.example:8000")):
        ran = xunwen(*start, *words)
        assert (ran.code, ran.out, gateway.asked) == (1, "", [])
        assert "does not go through the gateway http://" in ran.err
        assert ("--milvus" if "tune" in words else "--state") in ran.err


@pytest.mark.parametrize("command", ["up", "down", "status", "logs"])
def test_the_system_of_this_machine_is_no_gateway_elsewhere(command: str, xunwen: Xunwen) -> None:
    ran = xunwen("--url", "http://search.example:8000", command)
    assert ran.code == 2
    assert "acts on the system of this machine" in " ".join(ran.err.split())


def test_a_named_state_is_written_to_whatever_the_gateway(xunwen: Xunwen) -> None:
    ran = xunwen("--url", "http://search.example", "keys", "list", "--state", "redis://127.0.0.1:1")
    assert ran.code == 1
    assert "does not go through" not in ran.err
    assert "state Redis" in ran.err
