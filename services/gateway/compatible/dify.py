"""POST /retrieval: Dify's external knowledge API, so that Dify can search a collection like its own
knowledge.

`knowledge_id` is the name of a collection. The contract: https://docs.dify.ai, External Knowledge
API. Dify appends the path to the endpoint that is registered there, the gateway's address.
"""

import re
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from services.common.collection import NAME_PATTERN
from services.common.documents import FieldValue
from services.common.errors import InvalidRequest
from services.common.wire.rank import MAX_TOP_K
from services.gateway.search.query.schemas import AS_WHOLE, Query, SearchOptions
from services.gateway.search.terms import TermsDep, answered

router = APIRouter(tags=["compatible"])

_OPERATORS = {
    "is": "",
    "=": "",
    "contains": "",
    "is not": "ne",
    "≠": "ne",
    "!=": "ne",
    "not contains": "ne",
    ">": "gt",
    "after": "gt",
    "≥": "gte",
    ">=": "gte",
    "<": "lt",
    "before": "lt",
    "≤": "lte",
    "<=": "lte",
    "in": "any",
    "not in": "any",
}
"""Dify's operators with ours; the empty one compares with a plain value."""
_NUMERIC = frozenset({"=", "≠", "!=", ">", "<", "≥", ">=", "≤", "<="})
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,15})?")
_TOP_K = 2
"""Dify's own number of documents, where it sends null."""


class RetrievalSetting(BaseModel):
    """Bounds on the number and the relevance of the documents."""

    model_config = ConfigDict(extra="ignore")

    top_k: Annotated[int, Field(strict=True, ge=1), AS_WHOLE] | None = Field(
        default=None,
        description=f"Documents, {_TOP_K} where it is null; more than {MAX_TOP_K} are {MAX_TOP_K}",
    )
    score_threshold: Annotated[float, Field(ge=0, le=1, strict=True)] | None = Field(
        default=None, description="Least score of a document, none where it is null"
    )


class Condition(BaseModel):
    """A condition of Dify on the metadata of a document."""

    model_config = ConfigDict(extra="ignore")

    name: str | list[str] = Field(
        description="Names of fields, of which any may fulfil the condition"
    )
    comparison_operator: str
    value: str | StrictInt | StrictFloat | list[str] | None = None


class MetadataCondition(BaseModel):
    """Conditions of Dify on the metadata of a document, of which all must hold, or one."""

    model_config = ConfigDict(extra="ignore")

    logical_operator: Literal["and", "or"] | None = Field(
        default=None, description="`and` where it is null"
    )
    conditions: list[Condition] | None = None


class Retrieval(BaseModel):
    """A request of Dify."""

    model_config = ConfigDict(extra="ignore")

    knowledge_id: str = Field(pattern=NAME_PATTERN, description="Name of the collection")
    query: Query
    retrieval_setting: RetrievalSetting
    metadata_condition: MetadataCondition | None = None


class Record(BaseModel):
    """A document as Dify reads it."""

    content: str
    score: float = Field(description="Relevance, 0 to 1, best first")
    title: str
    metadata: dict[str, FieldValue] = Field(
        description="Metadata of the document, with `document_id` and `collection`"
    )


class Records(BaseModel):
    """The documents that were found."""

    records: list[Record]


@router.post("/retrieval", response_model=Records, summary="Dify's external knowledge API")
async def retrieval(body: Retrieval, terms: TermsDep) -> Response:
    """Searches the collection that `knowledge_id` names."""
    setting = body.retrieval_setting
    options = SearchOptions(
        collection=body.knowledge_id,
        top_k=min(setting.top_k or _TOP_K, MAX_TOP_K),
        filter=filter_of(body.metadata_condition),
    )
    _, found = await answered(body.query, options, terms)
    # As with `min_score`, hits that were not ranked have no score to compare, and pinned ones need
    # none.
    ranked = found.ranker is not None or "rank" not in found.degraded
    least = setting.score_threshold if ranked and setting.score_threshold else 0.0
    records = [
        _record(hit, body.knowledge_id)
        for hit in orjson.loads(found.content + b"}")["hits"]
        if hit["score"] >= least or hit.get("pinned")
    ]
    return Response(orjson.dumps({"records": records}), media_type="application/json")


def _record(hit: dict[str, Any], collection: str) -> dict[str, Any]:
    return {
        "content": hit["text"] or hit["title"],
        "score": hit["score"],
        "title": hit["title"] or hit["id"],
        "metadata": {**hit["fields"], "document_id": hit["id"], "collection": collection},
    }


def filter_of(condition: MetadataCondition | None) -> dict[str, Any] | None:
    """The filter for Dify's conditions. Raises InvalidRequest for conditions that no filter can
    express."""
    if condition is None or not condition.conditions:
        return None
    parts = []
    for each in condition.conditions:
        names = [each.name] if isinstance(each.name, str) else each.name
        leaves = [_leaf(name, each) for name in names]
        parts.append(leaves[0] if len(leaves) == 1 else {"or": leaves})
    return {condition.logical_operator or "and": parts}


def _leaf(name: str, condition: Condition) -> dict[str, Any]:
    operator, value = condition.comparison_operator, condition.value
    ours = _OPERATORS.get(operator)
    several = _several(value) if ours == "any" else []
    if ours is None or value is None or (ours == "any" and not several):
        raise InvalidRequest(
            f"metadata_condition: {operator[:40]!r} on {name[:80]!r} cannot be asked; there are"
            f" {', '.join(_OPERATORS)}, each with a value."
        )
    if several:
        one_of = {name: {ours: several}}
        return {"not": one_of} if operator == "not in" else one_of
    if operator in _NUMERIC and isinstance(value, str):
        value = _number(value)
    return {name: {ours: value} if ours else value}


def _several(value: object) -> list[Any]:
    """The values of a list, or of a text with commas between them. Dify compares them as texts, so
    that one with the digits of a number stands for the number too."""
    given = value.split(",") if isinstance(value, str) else value
    values: list[Any] = []
    for one in given if isinstance(given, list) else [given]:
        if text := str(one).strip():
            number = _number(text)
            values += [text] if isinstance(number, str) else [text, number]
    return values


def _number(text: str) -> str | int | float:
    """The number that a text stands for, or the text itself."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
