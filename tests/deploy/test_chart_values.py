"""What the chart makes of values: what it refuses, and that each arrives wherever it should."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from services.gateway.settings import GatewaySettings
from tests.deploy.manifests import (
    CHART,
    STORES,
    Manifest,
    containers,
    egress_ports,
    of_kind,
    pods,
    policies_of_services,
    render,
    secrets_of,
    text_of,
    values_of,
)

TRY = values_of(CHART / "ci/try-values.yaml")
ON = {"enabled": True, "host": "search.example.org"}
CA: dict[str, Any] = {"name": "ca", "configMap": {"name": "company-ca"}}
CA_MOUNT = {"name": "ca", "mountPath": "/etc/company", "readOnly": True}


def _recall(**own: Any) -> dict[str, Any]:
    return {"stores": STORES, "services": {"recall": own}}


def _second_gateway() -> dict[str, Any]:
    own = {"image": "gateway", "prefix": "XUNWEN_GATEWAY_", "public": True}
    return {"stores": STORES, "services": {"second": own}}


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    nested: dict[str, Any] = {path[-1]: value}
    for key in reversed(path[:-1]):
        nested = {key: nested}
    return nested


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


_LONGEST = GatewaySettings.model_fields["max_budget_ms"].default
_DRAIN = {"drainSeconds": 61, "terminationGracePeriodSeconds": 70}


def _budget(milliseconds: Any) -> dict[str, Any]:
    return {"stores": STORES, "services": {"gateway": {"env": {"MAX_BUDGET_MS": milliseconds}}}}


def test_long_budgets_fit_into_a_long_drain() -> None:
    render({**_budget(60000), "defaults": _DRAIN})


def test_short_budgets_fit_into_a_short_drain() -> None:
    render({**_budget(5000), "defaults": {"drainSeconds": 6}})


def test_writing_can_be_stopped_by_values() -> None:
    """As docs/operations.md does before a backup."""
    none = {"indexer": {"replicas": 0}, "worker": {"replicas": 0}}
    replicas = {
        one["metadata"]["name"]: one["spec"]["replicas"]
        for one in of_kind(render({"stores": STORES, "services": none}), "Deployment")
    }
    assert replicas["demo-xunwen-indexer"] == replicas["demo-xunwen-worker"] == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "stores.cache: say where it is"),
        ({"stores": {"state": {"url": "localhost:6379"}}}, "/stores/state/url"),
        (
            {"stores": {**STORES, "state": {"url": "redis://a", "existingSecret": "b"}}},
            "url and existingSecret exclude each other",
        ),
        (
            {"stores": {**STORES, "state": {"url": "redis+cluster://a:6379"}}},
            "stores.state.url: a Redis Cluster cannot hold the state",
        ),
        (
            {"stores": {**STORES, "cache": {"url": "redis://a", "ca": "/certificates/ca.crt"}}},
            "stores.cache.ca: no service reads it",
        ),
        (
            {"stores": {**STORES, "milvus": {"existingSecret": "a", "database": "papers"}}},
            "put it into that Secret under the key `database`",
        ),
        ({"stores": STORES, "objectStore": {"addressing": "host"}}, "/objectStore/addressing"),
        (
            {"stores": STORES, "objectStore": {"addressing": "virtual"}},
            "objectStore: nothing reads it without jobStorage.url or models.url",
        ),
        ({"stores": STORES, "image": {"tag": "latest"}}, "name a version"),
        ({"services": {"gateway": {"replica": 3}}}, "'replica' not allowed"),
        ({"services": {"gateway": {"port": 80000}}}, "/services/gateway/port"),
        ({"stores": STORES, "models": {"source": "claim"}}, "models.claim: name the claim"),
        ({"stores": STORES, "models": {"source": "url"}}, "models.url: say where"),
        (
            {"stores": STORES, "ingress": {"enabled": True, "host": "a"}},
            "set either tlsSecret, or tlsElsewhere",
        ),
        ({"stores": STORES, "gatewayApi": {"enabled": True}}, "name the Gateway"),
        (
            {"stores": STORES, "services": {"rank": {"drainSeconds": 60}}},
            "services.rank.terminationGracePeriodSeconds: must be longer than",
        ),
        (
            _budget("60000"),
            "services.gateway.drainSeconds: is shorter than the longest budget",
        ),
        (
            _merged(_budget(60000), {"services": {"gateway": _DRAIN}}),
            "services.indexer.drainSeconds: is shorter than the longest budget",
        ),
        (
            _recall(drainSeconds=29),
            f"is shorter than the longest budget of a search (MAX_BUDGET_MS), {_LONGEST} ms",
        ),
        (
            _recall(autoscaling={"enabled": True, "minReplicas": 0}),
            "services.recall.autoscaling.minReplicas: must be at least 1",
        ),
        (_recall(rollingUpdate={"maxSurge": 0}), "so no pod could ever be replaced"),
        (_recall(rollingUpdate={"maxSurge": "0%", "maxUnavailable": "0%"}), "are both 0"),
        (_recall(pdb={"maxUnavailable": "half"}), "/services/recall/pdb/maxUnavailable"),
        (_recall(pdb={"maxUnavailable": -1}), "/services/recall/pdb/maxUnavailable"),
        (
            {"stores": STORES, "services": {"gateway": {"calls": {"RECALL_URL": "recal"}}}},
            'there is no service "recal"',
        ),
        (
            {"stores": STORES, "services": {"worker": {"autoscaling": {"enabled": True}}}},
            "set metrics.prometheusUrl",
        ),
        (
            {"stores": STORES, "jobStorage": {"claim": {"accessModes": ["ReadWriteOnce"]}}},
            "the volume must be ReadWriteMany",
        ),
        # Two Deployments use the volume, and such a one has room for a single pod.
        (
            {"stores": STORES, "jobStorage": {"claim": {"accessModes": ["ReadWriteOncePod"]}}},
            "/jobStorage/claim/accessModes/0",
        ),
        ({"stores": STORES, "services": {"indexer": {"replicas": 2}}}, "at most one of it may run"),
        ({"stores": STORES, "operatorKey": {"secret": "a"}}, "'secret' not allowed"),
        ({"stores": STORES, "ingress": {"enabled": True, "tlsSecret": "a"}}, "ingress.host: name"),
        (
            {"stores": STORES, "ingress": {**ON, "tlsSecret": "a", "tlsElsewhere": True}},
            "set either tlsSecret, or tlsElsewhere",
        ),
        # Read by nobody.
        (
            {"stores": {**STORES, "milvus": {"existingSecret": "a", "token": "b"}}},
            "stores.milvus.token: existingSecret is set, so it is read from there",
        ),
        (
            {"stores": {**STORES, "milvus": {"builtIn": {"enabled": True}, "token": "b"}}},
            "stores.milvus.token: the built-in store asks for none",
        ),
        (
            {"stores": {**STORES, "state": {"url": "redis://a", "token": "b"}}},
            "stores.state.token: no service reads it",
        ),
        ({"stores": STORES, "jobStorage": {"existingSecret": "a"}}, "jobStorage.existingSecret"),
        (
            {"stores": STORES, "jobStorage": {"url": "s3://a", "claim": {"existing": "b"}}},
            "claim.existing and url exclude each other",
        ),
        ({"stores": STORES, "models": {"url": "s3://a"}}, "only read with models.source=url"),
        ({"stores": STORES, "models": {"claim": "a"}}, "only read with models.source=claim"),
        (
            {"stores": STORES, "serviceAccount": {"create": False, "annotations": {"a": "b"}}},
            "so annotate yours",
        ),
        # Mistakes that Kubernetes would name in words about its own types.
        (
            {"stores": STORES, "global": {"imagePullSecrets": ["regcred"]}},
            "write {name: regcred} instead of regcred",
        ),
        ({"stores": STORES, "services": {"gatway": {"replicas": 3}}}, "Is the name mistyped?"),
        (
            {"stores": STORES, "services": {"second": {"image": "indexer"}}},
            "services.second.prefix: name the prefix",
        ),
        (_recall(env={"PORT": 1}), "XUNWEN_RECALL_PORT is set twice"),
        (_recall(env={"A": 1}, extraEnv=[{"name": "XUNWEN_RECALL_A"}]), "is set twice"),
        (_recall(extraVolumes=[{"name": "tmp", "emptyDir": {}}]), "is the name of a volume"),
        (_recall(extraVolumeMounts=[{"name": "ca", "mountPath": "/ca"}]), "no volume ca"),
        (
            {
                **_recall(extraVolumes=[{"name": "certificates", "emptyDir": {}}]),
                "certificates": {"existingSecret": "a"},
            },
            "certificates is the name of a volume of the chart",
        ),
        (
            {
                **_recall(
                    extraVolumes=[CA],
                    extraVolumeMounts=[{**CA_MOUNT, "mountPath": "/certificates"}],
                ),
                "certificates": {"existingSecret": "a"},
            },
            "the chart itself mounts /certificates",
        ),
        (_recall(extraEnv=[{"name": "A B"}]), "/services/recall/extraEnv/0/name"),
        (_recall(podLabels={"app.kubernetes.io/name": "a"}), "the chart itself sets"),
        # One of two services behind one address would get none or half of the requests.
        (
            _merged(_second_gateway(), {"ingress": {**ON, "tlsSecret": "a"}}),
            "ingress: services.gateway and services.second are public, and one host leads to one",
        ),
        (
            _merged(
                _second_gateway(), {"gatewayApi": {"enabled": True, "parentRefs": [{"name": "a"}]}}
            ),
            "gatewayApi: services.gateway and services.second are public",
        ),
        # The cluster refuses larger objects in words about Secrets of Helm.
        (
            {"stores": STORES, "dictionaries": {"a": "引" * 100_000, "b": "词" * 100_000}},
            "dictionaries: all words together have 600000 bytes",
        ),
        ({"podSecurityContext": {"runAsNonRoot": False}}, "/podSecurityContext/runAsNonRoot"),
    ],
)
def test_bad_values_are_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises((helm.HelmValuesError, helm.HelmRenderError)) as refusal:
        render(values)
    assert words in str(refusal.value)


def test_two_public_services_without_a_route_of_the_chart() -> None:
    names = {one["metadata"]["name"] for one in of_kind(render(_second_gateway()), "Service")}
    assert {"demo-xunwen-gateway", "demo-xunwen-second"} <= names


def test_the_largest_dictionaries_are_taken() -> None:
    words = "引" * ((512 << 10) // 3)
    (dictionaries,) = [
        one
        for one in of_kind(
            render({"stores": STORES, "dictionaries": {"papers": words}}), "ConfigMap"
        )
        if one["metadata"]["name"].endswith("-dictionaries")
    ]
    assert dictionaries["data"] == {"papers.txt": words}


POOL = {"image": "indexer", "prefix": "XUNWEN_INDEXER_"}
WORKER = ["python", "-m", "services.indexer.worker"]
METRICS = {"prometheusUrl": "http://prometheus:9090"}


@pytest.mark.parametrize(
    ("release", "service", "words"),
    [
        ("2026-search", "pool", "The release name 2026-search cannot begin"),
        ("search.v2", "pool", "The release name search.v2 cannot begin"),
        ("x" * 53, "a-second-pool-of-workers", "names have at most 63 characters"),
        ("demo", "pool-", "pool-"),
    ],
)
def test_names_that_kubernetes_refuses(release: str, service: str, words: str) -> None:
    """Helm allows such releases; the Services would be refused after half of the objects."""
    with pytest.raises((helm.HelmValuesError, helm.HelmRenderError)) as refusal:
        render(_merged(TRY, {"services": {service: POOL}}), release=release)
    assert words in str(refusal.value)


@pytest.mark.parametrize("release", ["x" * 53, "s", "a" * 39 + "-b"])
def test_names_of_any_release_are_valid(release: str) -> None:
    manifests = render(_merged(TRY, {"services": {"second-workers": POOL}}), release=release)
    for manifest in of_kind(manifests, "Service", "StatefulSet", "Deployment"):
        name = manifest["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name), name


@pytest.mark.parametrize(
    ("one", "other"),
    [("x" * 52 + "a", "x" * 52 + "b"), ("a" * 40, "a" * 41), ("b" * 34, "b" * 34 + "-xunwen")],
)
def test_releases_share_no_names(one: str, other: str) -> None:
    """`helm template` and GitOps tools would overwrite the objects of one with those of the other;
    Helm itself would refuse the second."""
    names = [
        {(each["kind"], each["metadata"]["name"]) for each in render(TRY, release=release)}
        for release in (one, other)
    ]
    assert not names[0] & names[1]


@pytest.mark.parametrize(("owner", "kept"), [("x" * 53, True), ("x" * 52 + "y", False)])
def test_an_upgrade_keeps_the_names_that_a_release_has(
    tmp_path: Path, owner: str, kept: bool
) -> None:
    """Releases of version 0.1.0 have names that are cut only; other ones would be empty stores."""
    asked = re.compile(r'\(lookup "v1" "Service" \S+ \(printf "%s-gateway" \$cut\)\)')
    chart = _installed(tmp_path, "_helpers.tpl", asked, owner)
    with helm.Chart.load(chart) as loaded:
        rendered = "".join(loaded.render(TRY, name="x" * 53).values())
    assert (f"name: {'x' * 40}-gateway\n" in rendered) is kept


def _installed(tmp_path: Path, template: str, asked: re.Pattern[str], owner: str) -> Path:
    """The chart in a cluster where the Service that a template asks for is the owner's."""
    chart = tmp_path / "xunwen"
    shutil.copytree(CHART, chart)
    path = chart / "templates" / template
    annotations = f'(dict "annotations" (dict "meta.helm.sh/release-name" "{owner}"))'
    answered, lookups = asked.subn(f'(dict "metadata" {annotations})', path.read_text())
    assert lookups == 1
    path.write_text(answered)
    return chart


@pytest.mark.parametrize(("release", "owner"), [("foo-xunwen", "foo"), ("foo", "foo-xunwen")])
def test_names_that_another_release_has(tmp_path: Path, release: str, owner: str) -> None:
    """Helm would refuse them in words about the metadata of an object."""
    asked = re.compile(r'\(lookup "v1" "Service" \S+ \$gateway\)')
    chart = _installed(tmp_path, "validations.yaml", asked, owner)
    with helm.Chart.load(chart) as loaded:
        with pytest.raises(helm.HelmRenderError, match=f"release {owner} .* foo-xunwen-gateway"):
            loaded.render(TRY, name=release)
        assert loaded.render(TRY, name=owner)


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ({}, 2),
        ({"worker": {"replicas": 5}}, 5),
        ({"worker": {"replicas": 0}, "indexer": {"replicas": 0}}, 0),
        ({"worker": {"autoscaling": {"enabled": True, "minReplicas": 3, "metric": "cpu"}}}, 3),
        ({"worker": {"autoscaling": {"enabled": True, "minReplicas": 0, "metric": "queue"}}}, 0),
        ({"pool": {**POOL, "command": WORKER, "replicas": 3}}, 5),
        ({"indexer": {"env": {"EXPECTED_WORKERS": 7}}}, 7),
    ],
)
def test_the_indexer_knows_how_many_workers_there_should_be(
    services: dict[str, Any], expected: int
) -> None:
    manifests = render({"stores": STORES, "services": services, "metrics": METRICS})
    (spec,) = [spec for name, spec, _ in pods(manifests) if name == "demo-xunwen-indexer"]
    variables = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert variables["XUNWEN_INDEXER_EXPECTED_WORKERS"] == str(expected)


@pytest.mark.parametrize(
    "path",
    [
        *(("defaults", key) for key in ("podAnnotations", "podLabels", "nodeSelector")),
        *(("services", "rank", key) for key in ("podAnnotations", "podLabels", "nodeSelector")),
        ("ingress", "annotations"),
        ("serviceAccount", "annotations"),
        ("networkPolicy", "metricsFrom"),
        *(("metrics", key, "labels") for key in ("serviceMonitor", "rules", "dashboard")),
    ],
    ids=".".join,
)
@pytest.mark.parametrize(("value", "text"), [(True, "true"), (2000000, "2000000"), (0.5, "0.5")])
def test_annotations_and_labels_are_texts(path: tuple[str, ...], value: Any, text: str) -> None:
    """Kubernetes refuses `"true"` without quotes, and says so in words about Go maps."""
    with pytest.raises((helm.HelmValuesError, helm.HelmRenderError)) as refusal:
        render({"stores": STORES, **_nested((*path, "sidecar.example/inject"), value)})
    assert f'{".".join(path)}.sidecar.example/inject: is no text; quote it: "{text}"' in str(
        refusal.value
    )


_LARGE = 2_000_000
"""The least that Go prints with an exponent, 2e+06, which no service and no API server reads."""


def _numbers(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The paths of all values that may be a large number."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if {"number", "integer"} & set(kinds) and schema.get("maximum", _LARGE) >= _LARGE:
        yield ()
    for name, inner in schema.get("properties", {}).items():
        for path in _numbers(inner, root):
            yield (name, *path)
    if isinstance(others := schema.get("additionalProperties"), dict):
        for path in _numbers(others, root):
            yield ("*", *path)


def _places() -> list[tuple[str, ...]]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    starred = {"services": ["rank", "worker"], "stores": ["state"], "env": ["QUEUED_TOKENS"]}
    starred |= {"limits": ["memory"], "requests": ["memory"]}
    texts = {"podAnnotations", "podLabels", "nodeSelector", "annotations", "labels", "metricsFrom"}
    found: list[tuple[str, ...]] = []
    for path in _numbers(schema, schema):
        if texts & set(path):
            continue
        open_paths: list[tuple[str, ...]] = [()]
        for key in path:
            names = starred[open_paths[0][-1]] if key == "*" else [key]
            open_paths = [(*one, name) for one in open_paths for name in names]
        found += open_paths
    return [path for path in found if path[:1] != ("defaults",)]


def test_no_number_is_printed_with_an_exponent() -> None:
    """Every value that may be a large number, wherever a template prints it."""
    places = _places()
    assert len(places) > 20
    base: dict[str, Any] = {
        "stores": TRY["stores"],
        "metrics": {"prometheusUrl": "http://prometheus:9090"},
        "tracing": {"endpoint": "http://collector:4318"},
    }
    for path in places:
        values = _merged(base, _nested(path, _LARGE))
        if "autoscaling" in path:
            more = {"enabled": True, "maxReplicas": _LARGE}
            values = _merged(values, _nested(path[:-1], more))
        if path[-1] in ("drainSeconds", "preStopSeconds"):
            grace = {"terminationGracePeriodSeconds": 2 * _LARGE}
            values = _merged(values, _nested(path[:-1], grace))
        manifests = render(values)
        text = text_of(manifests)
        assert not re.search(r"\d[eE]\+\d", text), f"{'.'.join(path)}: {path} with an exponent"
        assert str(_LARGE) in text or str(_LARGE // 2) in text or "probe" in path, path


def test_numbers_in_the_environment_are_exact() -> None:
    given = {"QUEUED_TOKENS": 2000000, "BUDGET": 0.25, "LARGE": 9007199254740991, "ON": True}
    more = [{"name": "PLAIN", "value": 3000000}, {"name": "FLAG", "value": False}]
    manifests = render(_recall(env=given, extraEnv=more))
    environment = _environment(manifests, "recall")
    shown = {name: environment[f"XUNWEN_RECALL_{name}"]["value"] for name in given}
    assert shown == {
        "QUEUED_TOKENS": "2000000",
        "BUDGET": "0.25",
        "LARGE": "9007199254740991",
        "ON": "true",
    }
    assert environment["PLAIN"]["value"] == "3000000"
    assert environment["FLAG"]["value"] == "false"


def _environment(manifests: list[Manifest], component: str) -> dict[str, Manifest]:
    for deployment in of_kind(manifests, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        if container["name"] == component:
            return {variable["name"]: variable for variable in container["env"]}
    raise AssertionError(f"no {component}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_services_listen_on_the_address_of_the_defaults(host: str) -> None:
    """The kubelet asks a pod by its own address, in some clusters one of IPv6."""
    own = {"gateway": {"env": {"BUDGET_MS": 1500}}}
    manifests = render({"stores": STORES, "defaults": {"env": {"HOST": host}}, "services": own})
    for name, prefix in (("gateway", "GATEWAY"), ("rank", "RANK"), ("worker", "INDEXER")):
        assert _environment(manifests, name)[f"XUNWEN_{prefix}_HOST"]["value"] == host


SCHEDULING: dict[str, Any] = {
    "nodeSelector": {"pool": "search"},
    "tolerations": [{"key": "search", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "search",
}


def test_scheduling_of_the_defaults_reaches_every_pod() -> None:
    labels = {"team": "library"}
    values = _merged(TRY, {"defaults": {**SCHEDULING, "podLabels": labels}})
    seen = set()
    for _, spec, pod_labels in pods(render(values)):
        component = pod_labels["app.kubernetes.io/component"]
        seen.add(component)
        assert {key: spec.get(key) for key in SCHEDULING} == SCHEDULING, component
        assert labels.items() <= pod_labels.items(), component
    assert {"test", "milvus", "state", "cache", "gateway", "worker"} <= seen


def test_annotations_of_the_defaults_reach_every_pod() -> None:
    values = _merged(TRY, {"defaults": {"podAnnotations": {"sidecar.example/inject": "false"}}})
    annotated = [
        manifest["spec"]["template"]["metadata"]["annotations"]
        for manifest in of_kind(render(values), "Deployment", "StatefulSet")
    ]
    annotated += [
        manifest["metadata"]["annotations"] for manifest in of_kind(render(values), "Pod")
    ]
    assert len(annotated) == 9
    assert all(one.get("sidecar.example/inject") == "false" for one in annotated)


def test_a_service_overrules_the_defaults() -> None:
    values = _merged(
        TRY, {"defaults": SCHEDULING, "services": {"rank": {"tolerations": [], "spread": False}}}
    )
    for _, spec, labels in pods(render(values)):
        if labels["app.kubernetes.io/component"] == "rank":
            assert "tolerations" not in spec
            assert spec["nodeSelector"] == {"pool": "search"}
            assert "topologySpreadConstraints" not in spec


PROXY = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
FROM = [{"secretRef": {"name": "object-store"}}, {"configMapRef": {"name": "proxies"}}]


def test_a_private_ca_and_a_proxy_reach_every_service_and_the_fetch_of_models() -> None:
    extra = {
        "extraEnv": [PROXY],
        "envFrom": FROM,
        "extraVolumes": [CA],
        "extraVolumeMounts": [CA_MOUNT],
    }
    values = _merged(values_of(CHART / "ci/external-values.yaml"), {"defaults": extra})
    manifests = render(values)
    fetches = 0
    for deployment in of_kind(manifests, "Deployment"):
        kubernetes_validate.validate(deployment, "1.34", strict=True)
        spec = deployment["spec"]["template"]["spec"]
        assert CA in spec["volumes"]
        fetches += len(spec.get("initContainers", []))
        for container in containers(spec):
            assert PROXY in container["env"], container["name"]
            assert CA_MOUNT in container["volumeMounts"], container["name"]
            assert container["envFrom"][-2:] == FROM, container["name"]
    assert fetches == 4


def test_a_certificate_at_the_load_balancer_needs_no_secret() -> None:
    (route,) = of_kind(
        render({"stores": STORES, "ingress": {**ON, "tlsElsewhere": True}}), "Ingress"
    )
    assert "tls" not in route["spec"]
    assert route["spec"]["rules"][0]["host"] == ON["host"]
    kubernetes_validate.validate(route, "1.34", strict=True)


def test_another_pool_of_workers_is_another_entry() -> None:
    pool = {"image": "indexer", "prefix": "XUNWEN_INDEXER_", "replicas": 1}
    manifests = render({"stores": STORES, "services": {"nightly": pool}})
    names = {one["metadata"]["name"] for one in of_kind(manifests, "Deployment")}
    assert "demo-xunwen-nightly" in names


def test_certificates_and_addresses_of_stores_reach_the_pods() -> None:
    values = values_of(CHART / "ci/secured-values.yaml")
    values["stores"]["milvus"] |= {
        "ca": "/certificates/ca.crt",
        "certificate": "/certificates/tls.crt",
        "key": "/certificates/tls.key",
    }
    values["objectStore"]["ca"] = "/certificates/ca.crt"
    manifests = render(values)
    milvus = secrets_of(manifests)["demo-xunwen-milvus"]
    assert milvus["database"] == "papers"
    assert milvus["ca"] == "/certificates/ca.crt"
    for deployment in of_kind(manifests, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        name = deployment["metadata"]["name"]
        volumes = [one["name"] for one in spec["volumes"] if "secret" in one]
        assert volumes == ["certificates"], name
        for container in containers(spec):
            mounted = {one["mountPath"] for one in container["volumeMounts"]}
            assert "/certificates" in mounted, container["name"]
            environment = {one["name"]: one for one in container["env"]}
            if container in spec.get("initContainers", []) or name.endswith(("indexer", "worker")):
                assert environment["XUNWEN_S3_ADDRESSING"]["value"] == "virtual"
                assert environment["XUNWEN_S3_CA"]["value"] == "/certificates/ca.crt"
        if name.endswith(("recall", "indexer")):
            prefix = f"XUNWEN_{name.rpartition('-')[2].upper()}_MILVUS_"
            keys = {
                key.removeprefix(prefix): value["valueFrom"]["secretKeyRef"]["key"]
                for key, value in environment.items()
                if key.startswith(prefix)
            }
            assert keys == {
                "URI": "url",
                "TOKEN": "token",
                "DATABASE": "database",
                "CA": "ca",
                "CERTIFICATE": "certificate",
                "KEY": "key",
            }


_OWN_MAPS = {"env", "files", "labels", "metricsFrom", "podSecurityContext", "resources"}
_OWN_MAPS |= {"httpGet", "tcpSocket", "probe", "rollingUpdate", "services"}
"""Values whose members are the user's or Kubernetes' own, or fall back to other values."""

_MAY_BE_NONE = {"env", "files", "labels", "storage"}


def _members(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict) and key not in _OWN_MAPS:
            yield from _members(value, (*above, key))


def _default_of(path: tuple[str, ...]) -> Any:
    value = yaml.safe_load((CHART / "values.yaml").read_text())
    for key in path:
        value = value[key]
    return value


_PATHS = list(_members(yaml.safe_load((CHART / "values.yaml").read_text())))
_OPTIONAL = [path for path in _PATHS if _default_of(path) in ("", [], {})]


def _without_secrets(manifests: list[Manifest]) -> str:
    return re.sub(r"checksum/config: \w+|[A-Za-z0-9]{40}", "", text_of(manifests))


@pytest.mark.parametrize("variant", ["try", "external"])
def test_null_means_empty_where_a_value_may_be_empty(variant: str) -> None:
    """Tools that write values files write null for what is not set."""
    given = values_of(CHART / f"ci/{variant}-values.yaml")
    nulls = [path for path in _OPTIONAL if path not in set(_members(given))]
    assert len(nulls) > 20
    values: dict[str, Any] = {}
    for path in nulls:
        values = _merged(values, _nested(path, None))
    assert _without_secrets(render(_merged(values, given))) == _without_secrets(render(given))


def test_null_is_refused_where_a_value_is_needed() -> None:
    """Kubernetes would refuse it, or run no pod; a store without a name is refused by others."""
    needed = [path for path in _PATHS if path not in _OPTIONAL and path[-1] not in _MAY_BE_NONE]
    needed = [path for path in needed if path[:1] != ("stores",) or len(path) > 2]
    assert len(needed) > 80
    with helm.Chart.load(CHART) as chart:
        for path in needed:
            with pytest.raises(helm.HelmValuesError, match=f"missing property '{path[-1]}'"):
                chart.render(_merged(TRY, _nested(path, None)), name="demo")


def test_defaults_of_an_earlier_chart_are_refused(tmp_path: Path) -> None:
    """`helm upgrade --reuse-values` takes the defaults of the chart before."""
    before = tmp_path / "xunwen"
    shutil.copytree(CHART, before)
    values = yaml.safe_load((before / "values.yaml").read_text())
    del values["certificates"], values["objectStore"]
    (before / "values.yaml").write_text(yaml.dump(values))
    with (
        helm.Chart.load(before) as chart,
        pytest.raises(helm.HelmValuesError, match="missing properties 'certificates', 'objectSto"),
    ):
        chart.render(TRY, name="demo")


def test_the_network_policy_lets_out_to_the_dns_of_every_cluster() -> None:
    """A policy sees the port of the pod behind a Service, and OpenShift's DNS listens on 5353."""
    policies = of_kind(render(TRY), "NetworkPolicy")
    calling = [policy for policy in policies if policy["spec"]["egress"]]
    assert {policy["metadata"]["name"] for policy in calling} >= {"demo-xunwen-test"}
    for policy in calling:
        dns = next(rule for rule in policy["spec"]["egress"] if "to" not in rule)["ports"]
        assert {(one["port"], one["protocol"]) for one in dns} == {
            (port, protocol) for port in (53, 5353) for protocol in ("UDP", "TCP")
        }


def test_the_network_policy_lets_out_to_the_addresses_of_the_values() -> None:
    values = {
        "stores": {
            "milvus": {"url": "https://milvus.db:29530"},
            "state": {"url": "rediss+sentinel://u:p:26000@[fd00::1]:26380,b/papers/0?x=y:1"},
            "cache": {"url": "redis+cluster://:p@a:7000,b:7001"},
        },
        "tracing": {"endpoint": "http://collector:4319/path"},
    }
    for policy in policies_of_services(render(values)):
        ports = egress_ports(policy)
        assert {29530, 26380, 7000, 7001, 4319, 443, 6379} <= ports
        assert not {26000, 1} & ports
        kubernetes_validate.validate(policy, "1.34", strict=True)
