"""What the deployment page and the README type at a cluster, as far as none is needed.

Every `helm` line is rendered by Helm's own engine with the values that the page shows, every image
target, compose service and profile exists, and the Secrets made by hand are those that are read.
"""

import itertools
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import yaml

from services.gateway.settings import GatewaySettings
from tests.deploy.dockerfile import IMAGES, read_stages
from tests.deploy.manifests import (
    Manifest,
    containers,
    egress_ports,
    of_kind,
    pods,
    policies_of_services,
    render,
    text_of,
    values_of,
)
from tests.docs.blocks import ROOT, Block, blocks

PAGE = ROOT / "docs" / "deployment.md"
TYPED = (PAGE, ROOT / "README.md")
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
_OWN = "values.yaml"
"""The file that the page itself shows."""


def commands(program: str) -> Iterator[tuple[Block, list[str]]]:
    for block in itertools.chain.from_iterable(map(blocks, TYPED)):
        if block.language == "sh":
            for line in block.code.replace("\\\n", " ").splitlines():
                if line.strip().startswith(f"{program} "):
                    yield block, shlex.split(line.partition("|")[0], comments=True)


def own_values() -> dict[str, Any]:
    (shown,) = [
        block.code
        for block in blocks(PAGE)
        if block.language == "yaml" and block.code.startswith(f"# {_OWN}")
    ]
    values: dict[str, Any] = yaml.safe_load(shown)
    return values


def options(words: list[str], *names: str) -> list[str]:
    return [value for name, value in pairwise(words) if name in names]


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """As Helm lays one values file over another."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def given_values(words: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in options(words, "-f", "--values"):
        file = own_values() if name == _OWN else values_of(ROOT / name)
        values = merged(values, file)
    for setting in options(words, "--set"):
        path, _, text = setting.partition("=")
        nested: Any = yaml.safe_load(text)
        for key in reversed(path.split(".")):
            nested = {key: nested}
        values = merged(values, nested)
    return values


def pushed_images() -> set[str]:
    """What the page builds and pushes."""
    [loop] = re.findall(r"for target in ([\w ]+);", PAGE.read_text(encoding="utf-8"))
    [pushed] = re.findall(r"docker push (\S+)", PAGE.read_text(encoding="utf-8"))
    return {pushed.replace("$target", target) for target in loop.split()}


def test_every_helm_line_renders_with_images_that_exist() -> None:
    stores = yaml.safe_load((ROOT / "deploy/helm/xunwen/values.yaml").read_text())["stores"]
    there = pushed_images() | {store["builtIn"]["image"] for store in stores.values()}
    rendered = 0
    for block, words in commands("helm"):
        if {"install", "upgrade", "template"} & set(words):
            assert "deploy/helm/xunwen" in words, block
            manifests = render(given_values(words))
            images = {each["image"] for _, spec, _ in pods(manifests) for each in containers(spec)}
            assert images, block
            assert images <= there, block
            rendered += 1
    assert rendered >= 4


def test_the_ingress_of_the_page_lets_uploads_through() -> None:
    """ingress-nginx allows 1 MB unless it is told otherwise."""
    [ingress] = of_kind(render(own_values()), "Ingress")
    size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    most = GatewaySettings.model_fields["max_upload_bytes"].default
    assert int(size.removesuffix("m")) << 20 == most


def secret_keys(manifests: list[Manifest], secret: str) -> set[str]:
    """The keys of a Secret that containers read one by one."""
    return {
        reference["key"]
        for _, spec, _ in pods(manifests)
        for container in containers(spec)
        for variable in container.get("env", [])
        if (reference := variable.get("valueFrom", {}).get("secretKeyRef", {})).get("name")
        == secret
        and not reference.get("optional")
    }


def test_the_secrets_made_by_hand_are_those_that_are_read() -> None:
    manifests = render(own_values())
    text = text_of(manifests)
    made = 0
    for block, words in commands("kubectl"):
        if "secret" not in words:
            continue
        name = words[words.index("generic") + 1]
        keys = {word.split("=")[1] for word in words if word.startswith("--from-literal=")}
        assert f"name: {name}\n" in text, f"{block}: nothing reads {name}"
        assert secret_keys(manifests, name) <= keys, f"{block}: {name} lacks keys"
        made += 1
    assert made == 4


def test_the_values_for_stores_of_ones_own_render() -> None:
    (shown,) = [
        block.code
        for block in blocks(PAGE)
        if block.language == "yaml" and block.code.startswith("# every store by TLS")
    ]
    text = text_of(render(yaml.safe_load(shown)))
    for read in ("rediss+sentinel://", "rediss+cluster://", "ca: /certificates/ca.crt"):
        assert read in text


def test_every_image_is_built() -> None:
    assert pushed_images() == {f"registry.example/xunwen-{image}:0.1.0" for image in IMAGES}
    assert set(IMAGES) <= read_stages(ROOT / "deploy/Dockerfile").keys()


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--scale", set(COMPOSE["services"])),
        ("--profile", {p for s in COMPOSE["services"].values() for p in s.get("profiles", [])}),
    ],
)
def test_compose_names_exist(option: str, known: set[str]) -> None:
    named = set()
    for block, words in commands("docker"):
        if "compose" in words:
            assert (ROOT / options(words, "-f")[0]).is_file(), block
            named |= {value.partition("=")[0] for value in options(words, option)}
    assert named
    assert named <= known


def test_the_values_for_a_private_ca_render() -> None:
    (shown,) = [
        block.code
        for block in blocks(PAGE)
        if block.language == "yaml" and block.code.startswith("defaults:")
    ]
    manifests = render(merged(own_values(), yaml.safe_load(shown)))
    mounted = [
        container
        for _, spec, labels in pods(manifests)
        if labels["app.kubernetes.io/component"] != "test"
        for container in containers(spec)
    ]
    assert len(mounted) >= 5
    for container in mounted:
        assert "/etc/company" in {mount["mountPath"] for mount in container["volumeMounts"]}
        assert "AWS_CA_BUNDLE" in {variable["name"] for variable in container["env"]}
    proxy = next(v for c in mounted for v in c["env"] if v["name"] == "HTTPS_PROXY")["value"]
    for policy in policies_of_services(manifests):
        assert int(proxy.rpartition(":")[2]) in egress_ports(policy)
