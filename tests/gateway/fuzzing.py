"""schemathesis, operation by operation: its pytest plugin does not know pytest 9 yet."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings

Described = schemathesis.schemas.BaseSchema

OPERATIONS = [
    (method.upper(), path)
    for path, methods in create_app(GatewaySettings()).openapi()["paths"].items()
    for method in methods
    if path != "/mcp"  # errors of the protocol are its own; its client tests it
]


def described(url: str) -> Described:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    # Headers that a route does not know are ignored, as HTTP has it, and query parameters that it
    # does not know are refused; the schema says neither.
    schema.config.generation.allow_extra_parameters = False
    return schema


MORE_THAN_SCHEMA = {
    ("POST", "/v1/search"): "a query of white space; unknown fields in a filter",
    ("GET", "/v1/search"): "a query of white space; a filter that is no JSON; unknown names",
    ("POST", "/v1/search:batch"): "a query of white space",
    ("POST", "/v1/search:cite"): "a query of white space; fields are left out",
    ("GET", "/v1/collections/{collection}/documents"): "a filter that is no JSON; no cursor",
    ("GET", "/v1/collections/{collection}/export"): "a filter that is no JSON",
    ("PATCH", "/v1/collections/{collection}/documents/{document_id}"): "something to change",
    ("GET", "/v1/index-jobs"): "states that there are",
    ("PUT", "/v1/collections/{collection}/dictionary"): "a letter or digit in each word",
    ("PUT", "/v1/collections/{collection}/fields"): "no weight of numbers; title is a text",
    ("PUT", "/v1/collections/{collection}/query-rules"): "two words in a group; each id once",
    ("POST", "/v1/similar"): "unknown operators in a filter",
    ("POST", "/retrieval"): "a query of white space; operators that no filter has",
    ("POST", "/v1/collections"): "an encoder that is installed",
    ("POST", "/v1/collections/{collection}:rebuild"): "an encoder that is installed",
    ("POST", "/v1/index-jobs"): "a format that neither type nor name tells",
    ("POST", "/v1/collections/{collection}/documents:delete"): "ids or filter, not both",
    ("PUT", "/v1/collections/{collection}/documents/{document_id}"): "a title, a text or a body",
    ("POST", "/v1/embeddings"): "texts that are not empty",
    ("POST", "/v1/rerank"): "documents that are not empty",
    ("POST", "/v2/rerank"): "documents that are not empty",
    ("POST", "/rerank"): "documents that are not empty",
}
"""Where a request may fit the schema and still be refused, and for what."""


BY_DESIGN = frozenset({"deadline_exceeded", "overloaded"})
"""Codes of refusals above 500 that are right answers."""


def fuzz(schema: Described, method: str, path: str, headers: dict[str, str], examples: int) -> None:
    """Sends what the schema allows and what it does not. Raises what any check found."""
    operation = schema[path][method]
    excluded = [positive_data_acceptance] if (method, path) in MORE_THAN_SCHEMA else []
    for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),  # what it found is short enough to read
            suppress_health_check=list(HealthCheck),
        )
        def check(case: schemathesis.Case[Any]) -> None:
            answer = case.call(headers=headers, timeout=60)
            # A budget of a millisecond is a legal wish; that it ran out is the answer. So is a
            # refusal for load, on a machine that has other things to do.
            late = answer.status_code in (503, 504) and answer.json()["code"] in BY_DESIGN
            case.validate_response(
                answer,
                excluded_checks=[*excluded, *([not_a_server_error] if late else [])],
                headers=headers,
            )

        try:
            check()
        except Unsatisfiable:
            if mode is GenerationMode.POSITIVE:
                raise  # nothing can be wrong with a request that has no parts
