"""Keys before the real system: who gets in, what they see, and that nothing else leaks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.gateway.gateways import (
    OPERATOR_KEY,
    ORIGIN,
    await_ready,
    environment,
    gateway,
    started,
)
from tests.servers import free_port
from tests.stack import XUNWEN, Stack

Http = Callable[[str | None], httpx.Client]
MINE, THEIRS = "keys_mine", "keys_theirs"


@pytest.fixture(scope="module")
def http(keyed: str) -> Iterator[Http]:
    clients: list[httpx.Client] = []

    def client(key: str | None) -> httpx.Client:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        clients.append(httpx.Client(base_url=keyed, headers=headers, timeout=60))
        return clients[-1]

    yield client
    for each in clients:
        each.close()


@pytest.fixture(scope="module")
def keys(stack: Stack) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `xunwen keys` on the state Redis of the stack."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [XUNWEN, "keys", *words], env=stack.env, capture_output=True, text=True, check=False
        )

    return run


Keys = Callable[..., "subprocess.CompletedProcess[str]"]


def made(keys: Keys, name: str, *options: str) -> str:
    ran = keys("create", name, *options)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def tenants(http: Http) -> Iterator[None]:
    """Two collections with a document each."""
    operator = http(OPERATOR_KEY)
    for name in (MINE, THEIRS):
        body = {"title": f"{name} 的秘密文献"}
        assert operator.put(f"/v1/collections/{name}/documents/1", json=body).status_code == 200
    yield
    for name in (MINE, THEIRS):
        operator.delete(f"/v1/collections/{name}").raise_for_status()


def refused(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    return {name: problem[name] for name in problem if name != "request_id"}


SEARCH = {"query": "秘密文献", "collection": MINE, "rank": False}


def test_no_key_a_wrong_key_and_a_revoked_key_are_one_answer(http: Http, keys: Keys) -> None:
    assert refused(http(None).post("/v1/search", json=SEARCH), 401)["code"] == "unauthenticated"
    key = made(keys, "leaver", "--scope", "search")
    answer = http(key).post("/v1/search", json=SEARCH)
    assert answer.status_code == 200, answer.text
    assert keys("revoke", "leaver").returncode == 0
    unknown = "xw_" + "0" * 16 + key[19:]
    answers = [http(each).post("/v1/search", json=SEARCH) for each in (key, unknown, key[:-2])]
    assert refused(answers[0], 401) == refused(answers[1], 401) == refused(answers[2], 401)
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_a_body_is_not_read_before_the_key_is_known(http: Http) -> None:
    assert refused(http(None).post("/v1/search", content=b"{"), 401)


def test_scopes(http: Http, keys: Keys) -> None:
    reader = http(made(keys, "reader", "--scope", "search"))
    writer = http(made(keys, "writer", "--scope", "index"))
    document = f"/v1/collections/{MINE}/documents/2"
    assert refused(reader.put(document, json={"title": "a"}), 403)["code"] == "forbidden"
    assert writer.put(document, json={"title": "a"}).status_code == 200
    refused(writer.post("/v1/search", json=SEARCH), 403)
    for method, path in (
        ("DELETE", f"/v1/collections/{MINE}"),
        ("POST", f"/v1/collections/{MINE}:rebuild"),
        ("GET", "/v1/admin/hot-queries"),
    ):
        refused(writer.request(method, path), 403)
    assert writer.delete(document).status_code == 200


def test_a_restricted_key_cannot_tell_what_else_there_is(http: Http, keys: Keys) -> None:
    options = ("--scope", "search", "--scope", "index", "--collection", MINE)
    mine = http(made(keys, "restricted", *options))
    assert mine.post("/v1/search", json=SEARCH).json()["hits"][0]["id"] == "1"
    listed = mine.get("/v1/collections").json()["collections"]
    assert [each["name"] for each in listed] == [MINE]

    def attempts(name: str) -> list[httpx.Response]:
        return [
            mine.post("/v1/search", json=SEARCH | {"collection": name}),
            mine.get("/v1/search", params={"q": "a", "collection": name}),
            mine.post("/v1/search:batch", json={"queries": ["a"], "collection": name}),
            mine.get(f"/v1/collections/{name}"),
            mine.get(f"/v1/collections/{name}/documents/1"),
            mine.put(f"/v1/collections/{name}/documents/1", json={"title": "a"}),
            mine.delete(f"/v1/collections/{name}/documents/1"),
            mine.post(f"/v1/collections/{name}/documents:delete", json={"ids": ["1"]}),
            mine.post("/v1/collections", json={"name": name}),
            mine.post("/v1/index-jobs", params={"collection": name, "format": "lines"}),
            mine.get("/v1/index-jobs", params={"collection": name}),
        ]

    for theirs, nowhere in zip(attempts(THEIRS), attempts("keys_nowhere"), strict=True):
        problem = json.dumps(refused(theirs, 404), ensure_ascii=False)
        assert "秘密" not in problem
        absent = json.dumps(refused(nowhere, 404), ensure_ascii=False)
        assert problem.replace(THEIRS, "") == absent.replace("keys_nowhere", "")


def test_a_restricted_key_sees_the_jobs_of_its_collection_only(http: Http, keys: Keys) -> None:
    operator = http(OPERATOR_KEY)
    mine = http(made(keys, "jobs", "--scope", "index", "--collection", MINE))
    body = {"documents": [{"id": "9", "title": "九"}]}
    jobs = {}
    for name in (MINE, THEIRS):
        accepted = operator.post("/v1/index-jobs", params={"collection": name}, json=body)
        jobs[name] = accepted.json()["job_id"]
    assert mine.get(f"/v1/index-jobs/{jobs[MINE]}").status_code == 200
    listed = mine.get("/v1/index-jobs").json()["jobs"]
    assert {job["collection"] for job in listed} == {MINE}
    for path in ("", "/errors", "/events"):
        theirs = refused(mine.get(f"/v1/index-jobs/{jobs[THEIRS]}{path}"), 404)
        assert theirs == refused(mine.get(f"/v1/index-jobs/nothing{path}"), 404)
    for action in ("cancel", "retry"):
        refused(mine.post(f"/v1/index-jobs/{jobs[THEIRS]}:{action}"), 404)


def test_a_rotated_key_and_its_rate(http: Http, keys: Keys) -> None:
    old = made(keys, "limited", "--rate", "0.5")
    ran = keys("rotate", "limited", "--json")
    new = json.loads(ran.stdout)["key"]
    refused(http(old).get("/v1/collections"), 401)
    client = http(new)
    answers = [client.get("/v1/collections") for _ in range(4)]
    assert answers[0].status_code == 200
    assert refused(answers[-1], 429)["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2


def test_the_command_line_lists_and_audits(http: Http, keys: Keys) -> None:
    key = made(keys, "listed", "--tenant", "t1")
    listed = [json.loads(line) for line in keys("list", "--json").stdout.splitlines()]
    (record,) = [each for each in listed if each["name"] == "listed"]
    assert (record["tenant"], record["scopes"]) == ("t1", ["search"])
    assert key not in keys("list", "--json").stdout + keys("list").stdout
    taken = keys("create", "listed")
    assert (taken.returncode, "another name" in taken.stderr) == (1, True)
    assert keys("revoke", "nobody").returncode == 1
    http(OPERATOR_KEY).get("/v1/admin/hot-queries").raise_for_status()
    events = [json.loads(line) for line in keys("audit", "--json").stdout.splitlines()]
    assert events[0]["action"] == "GET /v1/admin/hot-queries"
    assert events[0]["by"] == "operator"
    assert "key created" in [event["action"] for event in events]


def test_open_paths_need_no_key(http: Http) -> None:
    for path in ("/", "/livez", "/readyz", "/metrics", "/openapi.json"):
        assert http(None).get(path).status_code == 200, path


def test_security_headers_are_on_every_answer(http: Http) -> None:
    for answer in (
        http(OPERATOR_KEY).post("/v1/search", json=SEARCH),
        http(None).post("/v1/search", json=SEARCH),
        http(None).get("/nowhere"),
        http(None).get("/livez"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_only_listed_origins_may_call_from_a_page(http: Http) -> None:
    def preflight(origin: str) -> httpx.Response:
        headers = {"origin": origin, "access-control-request-method": "POST"}
        return http(None).options("/v1/search", headers=headers)

    assert preflight(ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/index-jobs", "authorization, content-type, content-encoding, idempotency-key"),
        ("/mcp", "authorization, content-type, mcp-protocol-version"),
        ("/v1/embeddings", "authorization, content-type, x-stainless-lang, x-stainless-os"),
    ],
)
def test_a_page_of_a_listed_origin_sends_the_headers_of_its_client(
    http: Http, path: str, names: str
) -> None:
    """The last two are those of the clients of MCP and OpenAI in a browser."""
    headers = {"origin": ORIGIN, "access-control-request-method": "POST"}
    headers["access-control-request-headers"] = names
    answer = http(None).options(path, headers=headers)
    assert answer.status_code == 200, answer.text
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert set(names.split(", ")) <= set(allowed)
    strange = http(None).options(path, headers=headers | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in strange.headers


def test_without_keys_it_binds_to_loopback_only(stack: Stack) -> None:
    empty = f"redis://127.0.0.1:{stack.settings.state_port}/15"
    for changes in (
        {"host": "0.0.0.0", "state_redis_url": empty},
        {"host": "::", "state_redis_url": empty},
    ):
        process = started(environment(stack, port="0", **changes))
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.count("\n") == 1
        assert "xunwen keys create" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"operator_key": "short"}, "openssl rand"),
        ({"cors_origins": '["*"]'}, "no origin"),
        ({"cache_fresh_seconds": "100000"}, "CACHE_STALE_SECONDS"),
    ],
)
def test_settings_that_cannot_be(stack: Stack, changes: dict[str, str], says: str) -> None:
    process = started(environment(stack, port="0", **changes))
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.count("\n")) == (1, 1)
    assert says in said


def test_services_accept_only_calls_with_the_internal_token(stack: Stack) -> None:
    """A rank service with a token, a gateway that has it, and one that does not."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "MODEL_DIR": str(stack.settings.ranker),
        "INTERNAL_TOKEN": "t0ken",
    }
    env = {**os.environ, **{f"XUNWEN_RANK_{name}": value for name, value in settings.items()}}
    rank = subprocess.Popen([sys.executable, "-m", "services.rank"], env=env)
    url = f"http://127.0.0.1:{port}"
    body = {"query": "创新", "documents": ["企业创新", "语言"]}
    try:
        await_ready(url, rank)
        for headers in ({}, {"x-internal-token": "other"}):
            refused(httpx.post(f"{url}/rerank", json=body, headers=headers), 401)
        assert httpx.get(f"{url}/livez").status_code == 200
        with gateway(stack, rank_url=url, internal_token="t0ken") as knows:
            assert httpx.post(f"{knows}/v1/rerank", json=body, timeout=60).status_code == 200
        with gateway(stack, rank_url=url) as knows_not:
            answer = httpx.post(f"{knows_not}/v1/rerank", json=body, timeout=60)
            assert refused(answer, 503)["code"] == "service_unavailable"
    finally:
        rank.terminate()
        rank.wait(60)
