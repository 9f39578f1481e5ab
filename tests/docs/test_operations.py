"""What the operator's pages type at a cluster names what the chart makes, as it is called there."""

import json
import logging
import re
from functools import cache

import pytest

from services.common.telemetry.logs import configure_logs
from services.gateway.search.answer_schemas import SearchAnswer
from tests.deploy.manifests import VARIANTS, Manifest, of_kind, pods, render, values_of
from tests.docs.blocks import ROOT

PAGES = ("deployment", "operations", "observability", "scaling")
TEXT = "\n".join((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in PAGES)
KINDS = {"deploy": "Deployment", "svc": "Service"}
RELEASE = "xunwen"
"""As docs/deployment.md installs it."""


@cache
def manifests() -> list[Manifest]:
    return [
        manifest for variant in VARIANTS for manifest in render(values_of(variant), release=RELEASE)
    ]


def named(pattern: str) -> list[tuple[str, ...]]:
    found = sorted({match.groups() for match in re.finditer(pattern, TEXT)})
    assert found, f"no page says {pattern}"
    return found


@pytest.mark.parametrize(("kind", "name"), named(r"\b(deploy|svc)[/ ](xunwen-[a-z-]+)"))
def test_objects_exist(kind: str, name: str) -> None:
    names = {each["metadata"]["name"] for each in of_kind(manifests(), KINDS[kind])}
    assert name in names


@pytest.mark.parametrize(("name", "port"), named(r"port-forward svc/(xunwen\S*) (\d+)"))
def test_forwarded_ports_exist(name: str, port: str) -> None:
    ports = {
        each["port"]
        for service in of_kind(manifests(), "Service")
        if service["metadata"]["name"] == name
        for each in service["spec"]["ports"]
    }
    assert int(port) in ports


@pytest.mark.parametrize(("label", "value"), named(r"-l ([\w./-]+)=([\w-]+)"))
def test_selectors_select_pods(label: str, value: str) -> None:
    assert any(labels.get(label) == value for _, _, labels in pods(manifests()))


@pytest.mark.parametrize("options", [o for (o,) in named(r"kubectl -n search logs (.*)")])
def test_logs_are_those_of_all_pods_and_whole(options: str) -> None:
    """kubectl shows one pod of a Deployment, and ten lines of each pod of a selector."""
    assert options.startswith("-l ")
    assert "--tail=-1" in options


@pytest.mark.parametrize("pattern", [p for (p,) in named(r"grep '(\"level\"[^']+)'")])
def test_log_lines_are_found_by_the_pattern(
    pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = logging.root.handlers[:]
    try:
        configure_logs("gateway")
        logging.getLogger("services.gateway").error("a part is away")
    finally:
        logging.root.handlers[:] = before
    line = "".join(capsys.readouterr())
    assert json.loads(line)["message"] == "a part is away"
    assert pattern in line


@pytest.mark.parametrize("module", [m for (m,) in named(r"-- python -m\s+(services\.[\w.]+)")])
def test_modules_exist(module: str) -> None:
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_the_runbook_names_every_part_that_an_answer_may_miss() -> None:
    section = TEXT[TEXT.index("### XunwenSearchDegraded") :].split("\n### ")[0]
    described = str(SearchAnswer.model_fields["degraded"].description)
    parts = set(described.partition(": ")[2].split(", "))
    assert {"dense", "rank"} <= parts
    assert {part for part in parts if f"`{part}`" not in section} == set()


def test_messages_that_the_runbook_quotes_are_written() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py"))
    code = re.sub(r'"\s+"', "", code)
    quoted = re.findall(r"`(a part [^`]+)`|\*([a-zA-Z]+ [^*\n]*INTERNAL_TOKEN|This [^*]+)\*", TEXT)
    assert len(quoted) >= 4
    for either in quoted:
        assert "".join(either) in code, either
