"""The chart: rendered by Helm's own engine, valid for Kubernetes, and as we promise it to be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest

from tests.deploy.manifests import (
    CHART,
    STORES,
    VARIANTS,
    Manifest,
    containers,
    known_variables,
    of_kind,
    pods,
    render,
    secrets_of,
    settings_of,
    values_of,
    variant_manifests,
)

SERVICES = {"gateway", "recall", "rank", "indexer", "worker"}
# Custom resources; kubernetes_validate knows the kinds of Kubernetes itself only.
CUSTOM = {"HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"}


@pytest.fixture(params=VARIANTS, ids=lambda path: path.name.removesuffix("-values.yaml"))
def variant(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def manifests(variant: Path) -> list[Manifest]:
    return variant_manifests(variant)


def test_lint_finds_nothing(variant: Path) -> None:
    report = helm.lint(CHART, values_of(variant), strict=True)
    # Severity 1 is advice (an icon for a catalogue).
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("version", ["1.31", "1.34", "1.37"])
def test_objects_are_valid(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_names_are_unique_and_in_the_namespace(manifests: list[Manifest]) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))
    assert {manifest["metadata"]["namespace"] for manifest in manifests} == {"search"}


def test_every_service_runs(manifests: list[Manifest]) -> None:
    component = "app.kubernetes.io/component"
    deployments = of_kind(manifests, "Deployment")
    assert {one["metadata"]["labels"][component] for one in deployments} == SERVICES


def test_containers_are_confined(manifests: list[Manifest]) -> None:
    for name, spec, _ in pods(manifests):
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in containers(spec):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            # Milvus writes beside its binary; everything of ours has a read-only root.
            assert context["readOnlyRootFilesystem"] is not container["image"].endswith(
                "milvusdb/milvus:v2.6.9"
            ), name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


def test_images_have_a_version_and_no_other_registry(manifests: list[Manifest]) -> None:
    for _, spec, _ in pods(manifests):
        for container in containers(spec):
            repository, _, tag = container["image"].rpartition(":")
            assert repository
            assert tag not in ("", "latest")


def test_one_value_redirects_every_image() -> None:
    manifests = variant_manifests(CHART / "ci/airgapped-values.yaml")
    images = {c["image"] for _, spec, _ in pods(manifests) for c in containers(spec)}
    assert len(images) >= 6
    assert all(image.startswith("registry.internal:5000/mirror/") for image in images)


def test_probes_and_grace(manifests: list[Manifest]) -> None:
    for deployment in of_kind(manifests, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe]["httpGet"] == {"path": "/livez", "port": "http"}
            assert container[probe]["timeoutSeconds"] >= 1
        environment = {one["name"]: one.get("value") for one in container["env"]}
        drain = next(v for k, v in environment.items() if k.endswith("DRAIN_SECONDS"))
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        waits = int(sleep[1]) if sleep else 0
        assert spec["terminationGracePeriodSeconds"] > waits + int(str(drain))


def test_the_indexer_is_never_twice(manifests: list[Manifest]) -> None:
    for deployment in of_kind(manifests, "Deployment"):
        strategy = deployment["spec"]["strategy"]
        if deployment["metadata"]["name"].endswith("-indexer"):
            assert deployment["spec"]["replicas"] == 1
            # Kubernetes refuses rollingUpdate beside it.
            assert strategy == {"type": "Recreate"}
        else:
            assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_selectors_match_pods(manifests: list[Manifest]) -> None:
    labels = [labels for _, _, labels in pods(manifests)]

    def matched(selector: dict[str, str]) -> int:
        return sum(selector.items() <= one.items() for one in labels)

    for service in of_kind(manifests, "Service"):
        assert matched(service["spec"]["selector"]) == 1
    for budget in of_kind(manifests, "PodDisruptionBudget", "NetworkPolicy"):
        selector = budget["spec"].get("selector") or budget["spec"]["podSelector"]
        assert matched(selector["matchLabels"]) == 1
    for workload in of_kind(manifests, "Deployment", "StatefulSet"):
        assert matched(workload["spec"]["selector"]["matchLabels"]) == 1
    for monitor in of_kind(manifests, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]
        (expression,) = selector["matchExpressions"]
        assert set(expression["values"]) == SERVICES
        for service in of_kind(manifests, "Service"):
            own = service["metadata"]["labels"]
            if own[expression["key"]] in SERVICES:
                assert selector["matchLabels"].items() <= own.items()


def test_scalers_and_routes_point_at_what_exists(manifests: list[Manifest]) -> None:
    deployments = {one["metadata"]["name"] for one in of_kind(manifests, "Deployment")}
    services = {one["metadata"]["name"] for one in of_kind(manifests, "Service")}
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    for deployment in of_kind(manifests, "Deployment"):
        scaled = {
            one["spec"]["scaleTargetRef"]["name"]
            for one in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
        }
        # A replica count beside a scaler would undo its work at every upgrade.
        assert ("replicas" in deployment["spec"]) is (deployment["metadata"]["name"] not in scaled)
    for route in of_kind(manifests, "HTTPRoute"):
        assert route["spec"]["rules"][0]["backendRefs"][0]["name"] in services
    for ingress in of_kind(manifests, "Ingress"):
        path = ingress["spec"]["rules"][0]["http"]["paths"][0]
        assert path["backend"]["service"]["name"] in services
        assert ingress["spec"]["tls"][0]["secretName"]


def _references(node: Any) -> Iterator[tuple[str, str]]:
    """(kind, name) of every Secret, ConfigMap and claim that a pod needs to start."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("secretKeyRef", "secretRef"):
                yield "Secret", value["name"]
            elif key == "configMap":
                yield "ConfigMap", value["name"]
            elif key == "persistentVolumeClaim":
                yield "PersistentVolumeClaim", value["claimName"]
            else:
                yield from _references(value)


def _promised(values: Any) -> Iterator[str]:
    """Names of objects that the values say exist already."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key in ("existingSecret", "existing", "claim") and isinstance(value, str):
                yield value
            else:
                yield from _promised(value)


def test_what_a_pod_refers_to_exists(variant: Path, manifests: list[Manifest]) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    promised = set(_promised(values_of(variant)))
    for name, spec, _ in pods(manifests):
        for kind, wanted in _references(spec):
            assert (kind, wanted) in made or wanted in promised, f"{name} needs {kind} {wanted}"


def test_secret_keys_exist(manifests: list[Manifest]) -> None:
    secrets = secrets_of(manifests)
    for name, spec, _ in pods(manifests):
        for container in containers(spec):
            for variable in container.get("env", []):
                wanted = variable.get("valueFrom", {}).get("secretKeyRef")
                if wanted and wanted["name"] in secrets and not wanted.get("optional"):
                    assert secrets[wanted["name"]].get(wanted["key"]), f"{name}: {wanted}"


def test_what_leaves_the_values_leaves_the_secrets(manifests: list[Manifest]) -> None:
    """Kubernetes adds `stringData` to what is there, and so keeps a token that was taken out."""
    for secret in of_kind(manifests, "Secret"):
        assert "stringData" not in secret, secret["metadata"]["name"]


def test_environment_names_settings_that_exist(manifests: list[Manifest]) -> None:
    known = known_variables()
    for deployment in of_kind(manifests, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        names = {variable["name"] for variable in container["env"]}
        assert names <= known, f"{container['name']}: nobody reads {sorted(names - known)}"


def _environment(container: Manifest, manifests: list[Manifest]) -> dict[str, str]:
    """As the kubelet sets it, for the Secrets that the chart makes itself."""
    secrets = secrets_of(manifests)
    found = {}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        elif reference := source.get("secretKeyRef"):
            if value := secrets.get(reference["name"], {}).get(reference["key"]):
                found[variable["name"]] = value
        else:
            found[variable["name"]] = str(container["resources"]["requests"]["cpu"])
    return found


def test_services_accept_their_environment(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    for deployment in of_kind(manifests, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        environment = _environment(container, manifests)
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            settings = settings_of(container["name"])()
        assert settings.host == "0.0.0.0"
        assert (
            settings.drain_seconds
            < deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        )


def test_who_calls_must_show_a_key(manifests: list[Manifest]) -> None:
    keys, tokens = {}, {}
    for _, spec, labels in pods(manifests):
        for container in spec["containers"]:
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                component = labels["app.kubernetes.io/component"]
                if variable["name"].endswith(("OPERATOR_KEY", "API_KEY")):
                    keys[component] = reference
                if variable["name"].endswith("INTERNAL_TOKEN"):
                    tokens[component] = (reference["name"], reference["key"])
    # The gateway lets in, and the chart's own test shows, the same key.
    assert set(keys) == {"gateway", "test"}
    assert keys["gateway"] == keys["test"]
    assert set(tokens) == SERVICES
    assert len(set(tokens.values())) == 1
    for secret, values in secrets_of(manifests).items():
        if secret.endswith(("operator-key", "internal-token")):
            (value,) = values.values()
            assert len(value) >= 32


def test_only_the_gateway_faces_out() -> None:
    manifests = variant_manifests(CHART / "ci/try-values.yaml")
    policies = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]
        for one in of_kind(manifests, "NetworkPolicy")
    }
    assert set(policies) == SERVICES | {"milvus", "state", "cache", "test"}
    for name, policy in policies.items():
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        open_to_all = [rule for rule in policy["ingress"] if "from" not in rule]
        assert bool(open_to_all) is (name == "gateway"), name

    def callers(name: str) -> set[str]:
        return {
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            for rule in policies[name]["ingress"]
            for peer in rule.get("from", [])
            if "podSelector" in peer
        }

    assert callers("recall") == {"gateway", "indexer"}
    assert callers("rank") == {"gateway", "indexer"}
    assert callers("indexer") == {"gateway", "worker"}
    assert callers("milvus") == {"recall", "indexer"}
    assert callers("state") == {"gateway", "indexer", "worker"}
    assert callers("cache") == {"gateway"}
    assert policies["test"]["ingress"] == []


def test_every_pod_may_make_its_calls_where_the_namespace_forbids_all_others() -> None:
    """Many clusters deny what no policy allows."""
    manifests = variant_manifests(CHART / "ci/try-values.yaml")
    labels = {labels["app.kubernetes.io/component"]: labels for _, _, labels in pods(manifests)}
    policies = [one["spec"] for one in of_kind(manifests, "NetworkPolicy")]
    callees: dict[str, set[str]] = {name: set() for name in labels}
    for policy in policies:
        selected = policy["podSelector"]["matchLabels"].items()
        peers = [peer for rule in policy["egress"] for peer in rule.get("to", [])]
        for caller in (name for name, own in labels.items() if selected <= own.items()):
            callees[caller] |= {
                name
                for name, own in labels.items()
                for peer in peers
                if peer["podSelector"]["matchLabels"].items() <= own.items()
            }
    assert callees == {
        "gateway": {"recall", "rank", "indexer", "state", "cache"},
        "recall": {"milvus"},
        "rank": set(),
        "indexer": {"recall", "rank", "milvus", "state"},
        "worker": {"indexer", "state"},
        "test": {"gateway"},
        **{store: set() for store in ("milvus", "state", "cache")},
    }


def test_the_test_of_the_release_is_let_in_whoever_else_is() -> None:
    for variant in VARIANTS:
        manifests = variant_manifests(variant)
        (test,) = [own for name, _, own in pods(manifests) if name.endswith("-test")]
        for policy in of_kind(manifests, "NetworkPolicy"):
            if policy["metadata"]["name"].endswith("-gateway"):
                assert any(
                    "from" not in rule
                    or any(
                        peer["podSelector"]["matchLabels"].items() <= test.items()
                        for peer in rule["from"]
                        if "podSelector" in peer
                    )
                    for rule in policy["spec"]["ingress"]
                )


def test_models_are_checked_before_a_service_starts() -> None:
    manifests = variant_manifests(CHART / "ci/external-values.yaml")
    fetched = {}
    for _, spec, _ in pods(manifests):
        for one in spec.get("initContainers", []):
            fetched[spec["containers"][0]["name"]] = one["command"]
    assert set(fetched) == {"recall", "rank", "indexer", "worker"}
    assert fetched["rank"] == [
        *("python", "-m", "services.common.model_dir.fetch"),
        *("s3://models/xunwen/literature-ranker", "/models/literature-ranker"),
    ]


def test_dictionaries_reach_those_who_cut_words() -> None:
    values = values_of(CHART / "ci/external-values.yaml")
    manifests = render(values)
    (dictionaries,) = [
        each
        for each in of_kind(manifests, "ConfigMap")
        if each["metadata"]["name"].endswith("dictionaries")
    ]
    assert dictionaries["data"] == {"papers.txt": values["dictionaries"]["papers"]}
    mounted = {
        labels["app.kubernetes.io/component"]
        for _, spec, labels in pods(manifests)
        for container in containers(spec)
        for mount in container.get("volumeMounts", [])
        if mount["mountPath"] == "/dictionaries"
    }
    assert mounted == {"recall", "indexer", "worker"}


MOVED = {"url": "redis://moved:6379/0"}


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ({}, set()),
        ({"stores": {"cache": MOVED}}, {"gateway"}),
        ({"stores": {"state": MOVED}}, {"gateway", "indexer", "worker"}),
        ({"stores": {"milvus": {"url": "http://a", "token": "a:b"}}}, {"recall", "indexer"}),
        ({"dictionaries": {"papers": "引力波"}}, {"recall", "indexer", "worker"}),
        ({"internalToken": {"key": "other"}}, SERVICES),
        ({"services": {"rank": {"env": {"KEEP": 4}}}}, {"rank"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_changed_settings_restart_the_pods_that_read_them(
    changed: dict[str, Any], restarted: set[str]
) -> None:
    def pod_templates(values: dict[str, Any]) -> dict[str, Manifest]:
        return {
            one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"]
            for one in of_kind(render(values), "Deployment")
        }

    before = pod_templates({"stores": STORES})
    after = pod_templates({**changed, "stores": {**STORES, **changed.get("stores", {})}})
    assert {name for name in before if before[name] != after[name]} == restarted


def test_notes_show_the_first_search() -> None:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values_of(CHART / "ci/scaled-values.yaml"), name="demo")
    notes = files["xunwen/templates/NOTES.txt"]
    assert "https://search.example.org/v1/search?q=" in notes
    assert "helm -n default test demo" in notes


def test_further_encoders_are_where_vectors_are_made() -> None:
    """Recall and workers fetch and open them; the indexer reads their manifests."""
    values = {
        "stores": STORES,
        "models": {
            "source": "url",
            "url": "s3://models",
            "encoder": "new-encoder",
            "encoders": ["old-encoder"],
        },
    }
    manifests = render(values)
    by_name = {spec["containers"][0]["name"]: spec for _, spec, _ in pods(manifests)}
    for name in ("recall", "indexer", "worker"):
        pod = by_name[name]
        container = pod["containers"][0]
        env = {item["name"]: item.get("value") for item in container["env"]}
        prefix = "XUNWEN_RECALL_" if name == "recall" else "XUNWEN_INDEXER_"
        assert env[f"{prefix}MODEL_DIR"] == "/models/new-encoder"
        assert env[f"{prefix}ENCODERS"] == '["/models/old-encoder"]'
        fetched = [each["command"][-2:] for each in pod["initContainers"]]
        assert fetched == [
            ["s3://models/new-encoder", "/models/new-encoder"],
            ["s3://models/old-encoder", "/models/old-encoder"],
        ]
