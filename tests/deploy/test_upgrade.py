"""An upgrade changes nothing that Kubernetes refuses to change.

`immutable-0.1.0.json` holds these fields as the chart 0.1.0 rendered them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from services.common.model_dir import load_manifest
from services.common.text.analyzer import ANALYZER_VERSION
from tests.deploy.manifests import ROOT, VARIANTS, Manifest, variant_manifests

RECORD = Path(__file__).with_name("immutable-0.1.0.json")
PAGE = ROOT / "docs/upgrading.md"
ENCODER, ANALYSIS = "53addf3af091ca5f", 1
"""What 0.1.0 filled its collections by: a fingerprint and the version of the analysis of words."""


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


def test_the_page_says_what_becomes_of_collections_that_an_earlier_release_filled() -> None:
    section = PAGE.read_text(encoding="utf-8").split("## From 0.1.0 ")[1]
    if load_manifest(ROOT / "models/literature-encoder").fingerprint != ENCODER:
        assert "`encoder_mismatch`" in section
        assert "`models.encoders`" in section
    if ANALYZER_VERSION != ANALYSIS:
        assert "collections rebuild" in section.split("\n\n| value |")[0]
