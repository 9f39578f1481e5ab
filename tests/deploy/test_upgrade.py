"""An upgrade changes nothing that Kubernetes refuses to change.

`immutable-0.1.0.json` holds these fields as the chart 0.1.0 rendered them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import VARIANTS, Manifest, variant_manifests

RECORD = Path(__file__).with_name("immutable-0.1.0.json")


def immutable(manifests: list[Manifest]) -> dict[str, Any]:
    """The fields that cannot be changed in place, by kind and name of their object."""
    fields: dict[str, Any] = {}
    for manifest in manifests:
        spec = manifest.get("spec", {})
        where = f"{manifest['kind']}/{manifest['metadata']['name']}"
        match manifest["kind"]:
            case "Deployment":
                fields[where] = {"selector": spec["selector"]}
            case "StatefulSet":
                names = ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy")
                fields[where] = {name: spec.get(name) for name in names}
            case "Service":
                fields[where] = {"clusterIP": spec.get("clusterIP"), "type": spec.get("type")}
            case "PersistentVolumeClaim":
                fields[where] = spec
    return fields


RECORDED = json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "variant", [each for each in VARIANTS if each.stem in RECORDED], ids=lambda path: path.stem
)
def test_no_immutable_field_changes(variant: Path) -> None:
    """Each variant that 0.1.0 had is compared."""
    before = RECORDED[variant.stem]
    now = immutable(variant_manifests(variant))
    assert now.keys() >= before.keys(), "an object that keeps state or an address is gone"
    for where, fields in before.items():
        assert now[where] == fields, where
