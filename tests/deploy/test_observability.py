"""Dashboard, alerts and traces against the running system: every query names what exists."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.conftest import Observed
from tests.deploy.manifests import CHART, ROOT, of_kind, render, values_of, variant_manifests
from tests.deploy.promql import Labels, Vector, evaluated
from tests.servers import free_port

ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
# Set when Prometheus scrapes, by deploy/monitoring/prometheus.yml and the ServiceMonitor.
OWN_LABELS = {"service", "release"}
TARGET_LABELS = OWN_LABELS | {"instance", "job", "namespace", "le"}
FROM_PROMETHEUS = {"up"}


@pytest.fixture(scope="module")
def metrics(observed: Observed) -> dict[str, set[str]]:
    """Sample name -> label names, over all services."""
    stack = observed.stack
    settings = stack.settings
    ports = (settings.recall_port, settings.rank_port, settings.indexer_port)
    services = [stack.url, observed.worker_url, *(f"http://127.0.0.1:{port}" for port in ports)]
    found: dict[str, set[str]] = {}
    for service in services:
        text = httpx.get(f"{service}/metrics").raise_for_status().text
        for family in text_string_to_metric_families(text):
            found.setdefault(f"{family.name}_total", set()) if family.type == "counter" else None
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def queries() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], expression
    scaler = (CHART / "templates/availability.yaml").read_text()
    (query,) = re.findall(r"query: (.*)", scaler)
    yield "ScaledObject", re.sub(r"\{\{.*?\}\}", '"search"', query)


def test_rules_look_at_each_release_by_itself() -> None:
    """Else a second installation with a writer would hide that the first has none, and another
    encoder in it would be an alert for ever."""
    for rule in ALERTS:
        labels = set(TARGET_LABELS)
        for grouped in re.findall(
            r"\b(?:sum|max|min|avg|count)\b(?:\s+by\s*\(([^)]*)\))?", rule["expr"]
        ):
            labels &= {label.strip() for label in grouped.split(",")}
        assert {"namespace", "release"} <= labels, rule["alert"]


Samples = dict[str, dict[str, float | None]]
"""Values of each metric by service; None where there is no sample."""


def _installation(release: str, faults: Samples) -> Iterator[tuple[str, Labels, float]]:
    """What Prometheus knows of an installation in which all is well but for `faults`."""
    healthy: Samples = {
        "up": dict.fromkeys(("gateway", "recall", "rank", "indexer", "worker"), 1),
        "xunwen_http_requests_in_flight": {"gateway": 0, "recall": 0},
        "xunwen_breaker_open": {"gateway": 0},
        "xunwen_model_info": {"recall": 1, "worker": 1},
        "xunwen_index_writer": {"indexer": 1},
        "xunwen_index_parts_open": {"indexer": 0},
        "xunwen_index_workers": {"indexer": 2},
        "xunwen_index_workers_expected": {"indexer": 2},
        "xunwen_index_oldest_job_seconds": {"indexer": 0},
    }
    for metric, samples in healthy.items():
        for service, value in {**samples, **faults.get(metric, {})}.items():
            labels = {"namespace": "search", "release": release, "service": service}
            if metric == "xunwen_model_info":
                labels |= {"kind": "encoder", "fingerprint": f"{release}-{value}"}
            if value is not None:
                yield metric, frozenset(labels.items()), value


@pytest.mark.parametrize(
    ("alert", "faults"),
    [
        ("XunwenServiceDown", {"up": {"rank": 0}}),
        (
            "XunwenNoGateway",
            {
                "up": {"gateway": None},
                "xunwen_http_requests_in_flight": {"gateway": None},
                "xunwen_breaker_open": {"gateway": None},
            },
        ),
        ("XunwenServiceCutOff", {"xunwen_breaker_open": {"gateway": 1}}),
        ("XunwenModelsDiffer", {"xunwen_model_info": {"worker": 2}}),
        ("XunwenNoWriter", {"xunwen_index_writer": {"indexer": 0}}),
        ("XunwenNoWriter", {"xunwen_index_writer": {"indexer": None}}),
        (
            "XunwenNoWorkers",
            {
                "xunwen_index_parts_open": {"indexer": 3},
                "xunwen_index_workers": {"indexer": 0},
                "xunwen_index_workers_expected": {"indexer": 0},
            },
        ),
        ("XunwenWorkersMissing", {"xunwen_index_workers": {"indexer": 1}}),
        ("XunwenJobOld", {"xunwen_index_oldest_job_seconds": {"indexer": 30_000}}),
        ("", {}),
    ],
)
def test_an_alert_is_about_the_release_at_fault(alert: str, faults: Samples) -> None:
    """Beside another release, and somebody else's service that is called as one of ours."""
    foreign = frozenset({"namespace": "other", "service": "gateway"}.items())
    series: dict[str, Vector] = {"up": {foreign: 0}}
    for release, own in (("healthy", {}), ("faulty", faults)):
        for metric, labels, value in _installation(release, own):
            series.setdefault(metric, {})[labels] = value
    fired = {
        (rule["alert"], dict(labels)["release"])
        for rule in ALERTS
        if not re.search(r"(rate|delta|increase)\(", rule["expr"])
        for labels in evaluated(rule["expr"], series)
    }
    assert fired == ({(alert, "faulty")} if alert else set())


def test_the_dashboard_shows_the_chosen_release() -> None:
    chosen = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert {"namespace", "release"} <= chosen
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            for metric, compared in selectors(target["expr"].replace("$__rate_interval", "5m")):
                assert {"namespace", "release"} <= compared, f"{panel['title']}: {metric}"


def test_workers_are_scaled_by_the_parts_of_their_own_release() -> None:
    values = values_of(CHART / "ci/scaled-values.yaml")
    queries = set()
    for release in ("one", "two"):
        [scaled] = of_kind(render(values, release=release), "ScaledObject")
        queries.add(scaled["spec"]["triggers"][0]["metadata"]["query"])
    assert len(queries) == 2


def test_prometheus_sets_the_labels_that_queries_compare() -> None:
    [monitor] = of_kind(variant_manifests(CHART / "ci/scaled-values.yaml"), "ServiceMonitor")
    [endpoint] = monitor["spec"]["endpoints"]
    assert {one["targetLabel"] for one in endpoint["relabelings"]} == OWN_LABELS
    compose = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())
    for scrape in compose["scrape_configs"]:
        assert {one["target_label"] for one in scrape["relabel_configs"]} == OWN_LABELS


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """(metric, labels that the query compares) of every selector."""
    for name, inside in re.findall(
        r"\b((?:xunwen_\w+)|up)\b(?:\{([^}]*)\})?", promql_parser.parse(expression).prettify()
    ):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))


@pytest.mark.parametrize(("title", "expression"), list(queries()), ids=lambda value: value[:30])
def test_a_query_names_metrics_that_exist(
    metrics: dict[str, set[str]], title: str, expression: str
) -> None:
    named = list(selectors(expression))
    assert named, title
    grouped = re.findall(r"\bby\s*\(([^)]*)\)", expression)
    wanted = {label.strip() for group in grouped for label in group.split(",")}
    for metric, compared in named:
        if metric in FROM_PROMETHEUS:
            continue
        assert metric in metrics, f"{title}: nothing emits {metric}"
        assert compared <= metrics[metric] | TARGET_LABELS, f"{title}: {metric} has no {compared}"
    available = TARGET_LABELS.union(*(metrics.get(metric, set()) for metric, _ in named))
    # A label that appears only once something is degraded is declared, not yet seen.
    assert wanted - {"part"} <= available, f"{title} groups by {wanted - available}"


def test_the_page_names_every_metric(metrics: dict[str, set[str]]) -> None:
    page = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
    named = set()
    for row in re.findall(r"^\| (`xunwen_.*?) \|", page, re.MULTILINE):
        names = re.findall(r"`(\w+|…\w+)", row)
        group = "_".join(names[0].split("_")[:2])
        named |= {name.replace("…", group) for name in names}
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in metrics}
    assert named == {name for name in families if f"{name}_total" not in families}


@pytest.mark.parametrize("program", ["gateway", "worker"])
def test_programs_answer_the_routes_that_the_page_names(observed: Observed, program: str) -> None:
    url = {"gateway": observed.stack.url, "worker": observed.worker_url}[program]
    page = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
    sentence = {"gateway": "Every service answers", "worker": "A worker answers"}[program]
    [line] = [one for one in page.splitlines() if one.startswith(sentence)]
    routes = re.findall(r"`(/\w+)`", line)
    assert routes
    for route in routes:
        assert httpx.get(f"{url}{route}").status_code == 200, route


def test_metrics_follow_the_conventions(metrics: dict[str, set[str]]) -> None:
    ours = {name for name in metrics if not name.endswith("_created")}
    assert ours
    assert {name for name in ours if not name.startswith("xunwen_")} == set()


def test_every_alert_is_in_the_runbook() -> None:
    headings = re.findall(
        r"^### (Xunwen\w+)", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert headings == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_a_search_is_one_trace(observed: Observed) -> None:
    traces = observed.traces
    spans = traces.wait_for("POST /v1/search", "POST /search", "POST /rank", "milvus.search")
    tree = traces.tree(spans)
    print(tree)
    names = {span.id: span.name for span in spans}
    ours = {span.name: span for span in spans if span.scope == "xunwen"}

    def ancestors(name: str) -> list[str]:
        found, span = [], ours[name]
        while span.parent in names:
            span = next(one for one in spans if one.id == span.parent)
            if span.scope == "xunwen":
                found.append(span.name)
        return found

    assert ancestors("POST /v1/search") == []
    assert ancestors("POST /search") == ["POST recall", "POST /v1/search"]
    assert ancestors("POST /rank") == ["POST rank", "POST /v1/search"]
    assert ancestors("milvus.search")[1:] == ["POST /search", "POST recall", "POST /v1/search"]
    assert ancestors("coarse") == ["POST /rank", "POST rank", "POST /v1/search"]
    assert {span.service for span in spans} == {"xunwen-gateway", "xunwen-recall", "xunwen-rank"}


def test_a_bulk_part_is_one_trace(observed: Observed) -> None:
    traces = observed.traces
    spans = traces.wait_for(
        "send xunwen.index.part", "xunwen.index.part", "encode", "milvus.upsert"
    )
    print(traces.tree(spans))
    ours = {span.name: span for span in spans if span.scope == "xunwen"}
    task = ours["xunwen.index.part"]
    assert task.parent == ours["send xunwen.index.part"].id
    assert task.service == "xunwen-worker"
    assert ours["encode"].parent == task.id
    rows = ours["POST /work/{job_id}/{part}/rows"]
    assert (rows.parent, rows.service) == (task.id, "xunwen-indexer")
    assert task.attributes["job"]


PROGRAM = CHART / "files/search_test.py"


def _helm_test(url: str, seconds: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROGRAM), url, seconds]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_helm_test_passes_against_the_real_gateway(observed: Observed) -> None:
    run = _helm_test(observed.stack.url, "0")
    assert (run.returncode, run.stdout) == (0, "indexed, found and deleted a document\n"), (
        run.stderr
    )
    run = _helm_test(f"http://127.0.0.1:{free_port()}", "0")
    assert run.returncode == 1
    assert run.stderr.startswith("failed: ")


class _Starting(BaseHTTPRequestHandler):
    """A gateway whose other parts start while it is asked for the first time."""

    documents: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        self.asked.append(self.path)
        if len(self.asked) > 1:
            self.documents.append(self.path.rpartition("/")[2])
        self._answer(200 if self.documents else 503, {})

    def do_POST(self) -> None:
        self._answer(200, {"hits": [{"id": each} for each in self.documents]})

    def do_DELETE(self) -> None:
        self.documents.clear()
        self._answer(200, {})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Writes nothing."""


def test_the_helm_test_waits_for_what_starts() -> None:
    """docs/deployment.md calls it right after `helm install`, which does not wait."""
    address = ("127.0.0.1", free_port())
    with ThreadingHTTPServer(address, _Starting, bind_and_activate=False) as server:

        def serve() -> None:
            time.sleep(1)
            server.server_bind()
            server.server_activate()
            server.serve_forever()

        threading.Thread(target=serve, daemon=True).start()
        run = _helm_test(f"http://127.0.0.1:{address[1]}", "60")
        server.shutdown()
    assert (run.returncode, run.stderr) == (0, "")
    assert len(_Starting.asked) == 2
