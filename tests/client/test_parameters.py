"""The parameters of the client's functions are the members of the requests that they send."""

import inspect
from typing import Any

import pytest

from services.gateway.app import create_app
from services.gateway.settings import GatewaySettings
from xunwen.client import Client, SearchOptions

DESCRIPTION: dict[str, Any] = create_app(GatewaySettings()).openapi()

_COLLECTION = "/v1/collections/{collection}"
_DOCUMENT = f"{_COLLECTION}/documents/{{document_id}}"
_JOB = "/v1/index-jobs/{job_id}"
CALLS = {
    "search": ("post", "/v1/search"),
    "search_batch": ("post", "/v1/search:batch"),
    "similar": ("post", "/v1/similar"),
    "suggest": ("get", f"{_COLLECTION}/suggestions"),
    "cite": ("post", "/v1/citations"),
    "cite_search": ("post", "/v1/search:cite"),
    "embed": ("post", "/v1/embeddings"),
    "rerank": ("post", "/v1/rerank"),
    "readiness": ("get", "/readyz"),
    "put": ("put", _DOCUMENT),
    "get": ("get", _DOCUMENT),
    "patch": ("patch", _DOCUMENT),
    "delete": ("delete", _DOCUMENT),
    "documents": ("get", f"{_COLLECTION}/documents"),
    "delete_documents": ("post", f"{_COLLECTION}/documents:delete"),
    "vector": ("get", f"{_COLLECTION}/vectors/{{document_id}}"),
    "original": ("get", f"{_COLLECTION}/originals/{{document_id}}"),
    "export": ("get", f"{_COLLECTION}/export"),
    "statistics": ("get", f"{_COLLECTION}/statistics"),
    "collections": ("get", "/v1/collections"),
    "collection": ("get", _COLLECTION),
    "create_collection": ("post", "/v1/collections"),
    "delete_collection": ("delete", _COLLECTION),
    "declare_fields": ("put", f"{_COLLECTION}/fields"),
    "rebuild": ("post", f"{_COLLECTION}:rebuild"),
    "rollback": ("post", f"{_COLLECTION}:rollback"),
    "golden_queries": ("get", f"{_COLLECTION}/golden-queries"),
    "put_golden_queries": ("put", f"{_COLLECTION}/golden-queries"),
    "query_rules": ("get", f"{_COLLECTION}/query-rules"),
    "put_query_rules": ("put", f"{_COLLECTION}/query-rules"),
    "dictionary": ("get", f"{_COLLECTION}/dictionary"),
    "put_dictionary": ("put", f"{_COLLECTION}/dictionary"),
    "index": ("post", "/v1/index-jobs"),
    "job": ("get", _JOB),
    "jobs": ("get", "/v1/index-jobs"),
    "cancel": ("post", f"{_JOB}:cancel"),
    "retry": ("post", f"{_JOB}:retry"),
    "errors": ("get", f"{_JOB}/errors"),
}
"""The call that each function of the client sends."""
MADE_OF_OTHERS = {"search_pages": "search", "watch": "job", "wait": "job", "close": None}
"""Functions that send the calls of another one, with its name."""

OF_A_COLLECTION = {
    *("collection", "delete_collection", "declare_fields", "rebuild", "rollback"),
    *("golden_queries", "put_golden_queries", "query_rules", "put_query_rules"),
    *("dictionary", "put_dictionary"),
}
OTHER_NAMES: dict[tuple[str, str], str] = {
    # The object of a function stands first and needs no keyword, so it is named by what it is.
    **{(name, "collection"): "name" for name in OF_A_COLLECTION},
    ("similar", "id"): "document_id",
    ("suggest", "q"): "typed",
    # `input` is OpenAI's name, and the client takes no tokens.
    ("embed", "input"): "texts",
    # Objects of ours that hold all members of the request.
    **{("put", name): "document" for name in ("document_id", "id", "title", "text", "body")},
    ("put", "fields"): "document",
    **{
        ("put_query_rules", name): "rules"
        for name in ("synonyms", "stop_words", "queries", "version")
    },
    # A job takes files too, so documents are one kind of input.
    ("index", "documents"): "input",
}
"""Members that a function has under another name."""

_PAGES = "the client asks for one page after the other"
_OPENAI = "of OpenAI's clients; the service has one encoder, and this client reads floats"
_RERANKERS = "of Jina's and Cohere's clients; this client sends texts and asks for their order"
LEFT_OUT: dict[tuple[str, str], str] = {
    **{(name, member): _PAGES for name in ("documents", "jobs") for member in ("limit", "after")},
    **{("embed", name): _OPENAI for name in ("model", "encoding_format", "dimensions", "user")},
    **{("rerank", name): _RERANKERS for name in ("model", "return_documents", "rank_fields")},
}
"""Members that a function does not have, with the reason."""
OF_THE_CLIENT = {
    ("index", "idempotency_key"): "it is sent as a header",
    ("cite_search", "fields"): "it is one of the options of a search; the service refuses it",
}
"""Parameters that are no member of the request, with the reason."""


def members(function: str) -> set[str]:
    """What the request of a function can hold: in its path, in its parameters, in its body."""
    method, path = CALLS[function]
    operation = DESCRIPTION["paths"][path][method]
    found = {
        each["name"] for each in operation.get("parameters", ()) if each["in"] in ("path", "query")
    }
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found | set(schema.get("properties", ()))


def parameters(function: str) -> set[str]:
    """The parameters of a function, with those that `options` stands for."""
    found = set(inspect.signature(getattr(Client, function)).parameters) - {"self"}
    if "options" in found:
        found = found - {"options"} | set(SearchOptions.__annotations__)
    return found


@pytest.mark.parametrize("function", CALLS)
def test_a_function_has_every_member_of_its_request(function: str) -> None:
    wanted = {
        OTHER_NAMES.get((function, member), member)
        for member in members(function)
        if (function, member) not in LEFT_OUT
    }
    own = {name for call, name in OF_THE_CLIENT if call == function}
    assert parameters(function) == wanted | own


def test_every_function_is_compared() -> None:
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public == CALLS.keys() | MADE_OF_OTHERS.keys()
    for name, other in MADE_OF_OTHERS.items():
        assert parameters(name) == (parameters(other) if other else set())


def test_the_tables_name_members_that_there_are() -> None:
    for function, member in [*OTHER_NAMES, *LEFT_OUT]:
        assert member in members(function), (function, member)
    for function, name in OF_THE_CLIENT:
        assert name in parameters(function)
