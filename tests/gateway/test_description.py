"""The description of the API in /openapi.json, by which programs and the page at /docs call it."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_specifications import REGISTRY

from services.common.documents import BYTES, MAX_FIELDS
from services.gateway.app import create_app
from services.gateway.search.citations import CitedSearch
from services.gateway.settings import GatewaySettings
from services.indexer.intake.mapping import FieldMapping

DESCRIPTION: dict[str, Any] = create_app(GatewaySettings()).openapi()
_DRAFT = "https://json-schema.org/draft/2020-12/meta"
_VOCABULARIES = ("core", "applicator", "unevaluated", "validation", "format-annotation", "content")
KEYWORDS = {"discriminator"}.union(
    *(REGISTRY.contents(f"{_DRAFT}/{name}")["properties"] for name in (*_VOCABULARIES, "meta-data"))
)
"""What a schema of OpenAPI 3.1 may say; a program ignores any other word."""
_ONE = ("items", "additionalProperties", "propertyNames", "schema")
_MANY = ("properties", "patternProperties", "$defs", "schemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")


def schemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema of the description, with its place."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from schemas(each, f"{path}/{number}")
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        here = f"{path}/{name}"
        found = []
        if name in _ONE and isinstance(value, dict):
            found = [(here, value)]
        elif name in _MANY and isinstance(value, dict):
            found = [(f"{here}/{key}", each) for key, each in value.items()]
        elif name in _LISTS and isinstance(value, list):
            found = [(f"{here}/{number}", each) for number, each in enumerate(value)]
        yield from ((place, each) for place, each in found if isinstance(each, dict))
        yield from schemas(value, here)


def test_schemas_say_nothing_that_programs_ignore() -> None:
    every = list(schemas(DESCRIPTION))
    assert len(every) > 500
    ignored = [(path, word) for path, each in every for word in each if word not in KEYWORDS]
    assert ignored == []


def test_references_lead_to_a_schema() -> None:
    references = {each["$ref"] for _, each in schemas(DESCRIPTION) if "$ref" in each}
    there = {f"#/components/schemas/{name}" for name in DESCRIPTION["components"]["schemas"]}
    assert references - there == set()
    assert len(references) > 50


@pytest.mark.parametrize("name", ["SearchRequest", "BatchRequest", "CitedSearch"])
def test_a_budget_has_bounds(name: str) -> None:
    budget = DESCRIPTION["components"]["schemas"][name]["properties"]["budget_ms"]
    assert budget["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 60_000}


def test_a_member_that_is_always_refused_is_not_described() -> None:
    described = DESCRIPTION["components"]["schemas"]["CitedSearch"]["properties"]
    assert set(CitedSearch.model_fields) - set(described) == {"fields"}


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_call_that_is_always_refused_has_no_other_answer(method: str) -> None:
    answers = DESCRIPTION["paths"]["/mcp"][method]["responses"]
    assert [status for status in answers if status.startswith("2")] == []
    assert "405" in answers


def test_the_mapping_of_a_job_is_described_with_all_its_members() -> None:
    calls = DESCRIPTION["paths"]["/v1/index-jobs"]["post"]["parameters"]
    [described] = [each["description"] for each in calls if each["name"] == "mapping"]
    assert [name for name in FieldMapping.model_fields if f"`{name}`" not in described] == []


def test_the_limits_of_a_document_are_described() -> None:
    members = DESCRIPTION["components"]["schemas"]["DocumentBody"]["properties"]
    told = {name: members[name]["anyOf"][0].get("maxLength") for name in BYTES}
    assert told == BYTES
    assert f"at most {MAX_FIELDS} names" in members["fields"]["anyOf"][0]["description"]
