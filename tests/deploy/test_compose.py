"""The compose file: valid, health-gated, confined, and naming settings and files that exist."""

import json
import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from tests.deploy.manifests import ROOT, known_variables

COMPOSE = ROOT / "deploy/compose.yaml"
OURS = {"gateway", "recall", "rank", "indexer", "worker"}
AWS = {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """As Compose sees it after it has put in the defaults of variables."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def test_it_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    assert set(PyCompose.from_json(json.dumps(compose)).service_names()) == set(compose["services"])
    broken = {"services": {"a": {"image": "b", "depends_on": {"c": {"condition": "ready"}}}}}
    with pytest.raises(ValueError, match="service_healthy"):
        PyCompose.from_json(json.dumps(broken))


def test_starts_are_gated_by_health(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, name
            assert "healthcheck" in services[needed], needed
    assert {"recall", "rank", "indexer", "cache"} <= set(services["gateway"]["depends_on"])


def test_our_services_are_confined(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]


def test_nothing_listens_beyond_this_machine(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_environment_names_settings_that_exist(compose: dict[str, Any]) -> None:
    known = known_variables() | AWS
    for name in OURS:
        named = set(compose["services"][name]["environment"])
        assert named <= known, f"{name}: nobody reads {sorted(named - known)}"


def test_versions_and_registry(compose: dict[str, Any]) -> None:
    text = COMPOSE.read_text()
    for service in compose["services"].values():
        assert re.fullmatch(r"[a-z0-9/-]+:[\w.-]+", service["image"])
        assert not service["image"].endswith("latest")
        if "build" not in service:
            assert f"${{XUNWEN_REGISTRY:-}}{service['image']}" in text


def test_mounted_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).exists(), source
            else:
                assert source in compose["volumes"]


def test_monitoring_is_a_profile(compose: dict[str, Any]) -> None:
    profiled = {name for name, one in compose["services"].items() if one.get("profiles")}
    assert profiled == {"prometheus", "grafana"}


def test_prometheus_asks_every_service(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())
    discovered = {
        name: discovery["port"]
        for scrape in config["scrape_configs"]
        for discovery in scrape.get("dns_sd_configs", [])
        for name in discovery["names"]
    }
    named = dict(
        target.split(":")
        for scrape in config["scrape_configs"]
        for group in scrape.get("static_configs", [])
        for target in group["targets"]
    )
    # A discovery forgets a container that has stopped, so that no alert would tell of it.
    assert set(discovered) == {"worker"}
    targets = {**named, **discovered}
    assert set(targets) == OURS
    for name, port in targets.items():
        test = compose["services"][name]["healthcheck"]["test"]
        assert str(port) in test, name


def test_every_variable_of_its_environment_is_described() -> None:
    """A page may name several that begin alike: `XUNWEN_MILVUS_URI`, `_TOKEN`."""
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    variables = set(re.findall(r"\$\{(XUNWEN_\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert len(variables) > 15
    lost = {
        name
        for name in variables
        if f"`{name}" not in pages and f"`_{name.rpartition('_')[2]}`" not in pages
    }
    assert lost == set()
