"""The chart, rendered, as plain objects; and the settings that its environment must match."""

import base64
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml
from pydantic_settings import BaseSettings

from services.common.objects import ObjectStoreSettings
from services.common.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/xunwen"
VARIANTS = sorted((CHART / "ci").glob("*-values.yaml"))
SETTINGS = {
    "gateway": "GatewaySettings",
    "recall": "RecallSettings",
    "rank": "RankSettings",
    "indexer": "IndexerSettings",
}

STORES = {name: {"url": "redis://elsewhere:6379/0"} for name in ("milvus", "state", "cache")}
"""The least that the chart has to be told."""

Manifest = dict[str, Any]

LOADER, DUMPER = yaml.CSafeLoader, yaml.CSafeDumper
"""PyYAML's safe ones in C: a rendered chart is read in a tenth of the time."""


def values_of(variant: Path) -> dict[str, Any]:
    return yaml.safe_load(variant.read_text()) or {}


def render(values: dict[str, Any], release: str = "demo") -> list[Manifest]:
    """Raises helm.HelmValuesError or helm.HelmRenderError, as `helm install` would."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render(values, name=release, namespace="search")
    return [
        manifest
        for path, text in files.items()
        if path.endswith(".yaml")
        for manifest in yaml.load_all(text, Loader=LOADER)
        if manifest
    ]


@cache
def variant_manifests(variant: Path) -> list[Manifest]:
    return render(values_of(variant))


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def secrets_of(manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    """The values of the Secrets that the chart makes, by name and key, as pods see them."""
    return {
        secret["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in secret["data"].items()
        }
        for secret in of_kind(manifests, "Secret")
    }


def text_of(manifests: list[Manifest]) -> str:
    """The manifests as YAML, the values of Secrets as pods see them."""
    secrets = secrets_of(manifests)
    read = [
        {**one, "data": secrets[one["metadata"]["name"]]} if one["kind"] == "Secret" else one
        for one in manifests
    ]
    text: str = yaml.dump_all(read, Dumper=DUMPER)
    return text


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, dict[str, str]]]:
    """(name, pod spec, pod labels) of every workload and of the test pod."""
    for manifest in of_kind(manifests, "Deployment", "StatefulSet"):
        template = manifest["spec"]["template"]
        yield manifest["metadata"]["name"], template["spec"], template["metadata"]["labels"]
    for manifest in of_kind(manifests, "Pod"):
        yield manifest["metadata"]["name"], manifest["spec"], manifest["metadata"]["labels"]


def policies_of_services(manifests: list[Manifest]) -> list[Manifest]:
    """The NetworkPolicies, without that of the test pod, which calls nothing but the gateway."""
    return [
        policy
        for policy in of_kind(manifests, "NetworkPolicy")
        if policy["metadata"]["labels"]["app.kubernetes.io/component"] != "test"
    ]


def egress_ports(policy: Manifest) -> set[int | str]:
    """The ports to which a NetworkPolicy lets out, to wherever."""
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def containers(spec: Manifest) -> list[Manifest]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def settings_of(component: str) -> type[ServiceSettings]:
    """What a service reads from its environment."""
    service = "indexer" if component == "worker" else component
    module = importlib.import_module(f"services.{service}.settings")
    settings: type[ServiceSettings] = getattr(module, SETTINGS[service])
    assert issubclass(settings, ServiceSettings)
    return settings


def known_variables() -> set[str]:
    """Every environment variable that some service reads."""
    known = set()
    kinds: list[type[BaseSettings]] = [ObjectStoreSettings, *map(settings_of, SETTINGS)]
    for settings in kinds:
        prefix = settings.model_config.get("env_prefix", "")
        known |= {f"{prefix}{field}".upper() for field in settings.model_fields}
    return known
