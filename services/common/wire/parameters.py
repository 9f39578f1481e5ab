"""Query parameters: what one holds as text, the types that read it, and those of a whole call."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)

from services.common.fields.names import WHOLE_NAME
from services.common.filters import compile_filter
from services.common.patterns import explained

MAX_FIELDS = 64


def _json(text: str, example: str) -> object:
    """The value of a JSON text. Raises ValueError with an example of what to write."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # The latter is raised for thousands of brackets.
        raise ValueError(f"it cannot be read as JSON; write it as {example}") from error


def _condition(text: object) -> object:
    """The filter that a JSON text holds."""
    return _json(text, '{"year": {"gte": 2015}}') if isinstance(text, str) else text


def _compiled(condition: dict[str, Any]) -> dict[str, Any]:
    """The filter, if it can be compiled. Raises InvalidFilter."""
    compile_filter(condition)
    return condition


def _objects(given: object) -> object:
    """The objects that JSON texts hold, each text an object or a list of them."""
    if given is None:
        return None
    objects: list[object] = []
    for text in given if isinstance(given, list) else [given]:
        example = '[{"field": "year", "recency": "5y"}]'
        value = _json(text, example) if isinstance(text, str) else text
        objects += value if isinstance(value, list) else [value]
    return objects


def names_of(given: object) -> object:
    """The parts of a text with commas between them."""
    if given is None:
        return None
    texts = given if isinstance(given, list) else [given]
    return [name for text in texts for name in str(text).split(",") if name]


FieldName = Annotated[str, StringConstraints(pattern=WHOLE_NAME)]

PartitionName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=512,
        pattern=explained(r"^[^\x00-\x1f]+$", "write a name without line breaks"),
    ),
]
"""Name of a partition: a value of the field that a collection has as its partition key."""

CONDITIONS = (
    "Metadata conditions, as in `docs/api.md`; the bounds of a range are all numbers or all strings"
)
"""Description of every filter in the API."""

Conditions = Annotated[dict[str, Any], AfterValidator(_compiled)]
"""A filter that is handed on to another service. It is checked before, since JSON that is nested
deep can be read and not written again."""

FilterParameter = Annotated[
    Conditions | None,
    BeforeValidator(_condition),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json"}),
]
"""Metadata conditions, written as JSON."""

Item = TypeVar("Item")

ListParameter = Annotated[
    list[Item] | None, BeforeValidator(names_of), WithJsonSchema({"type": "string"})
]
"""Several values, written with commas between them."""

ObjectsParameter = Annotated[
    list[Item] | None,
    BeforeValidator(_objects),
    WithJsonSchema({"type": "string", "contentMediaType": "application/json"}),
]
"""Several objects, written as a JSON list."""

NamesParameter = ListParameter[FieldName]
"""Names of fields, written with commas between them."""


class Parameters(BaseModel):
    """The query parameters of a call, which the gateway takes and hands on as they were given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def params(self) -> dict[str, str]:
        """The parameters that were given, as text."""
        given = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return {name: _as_text(value) for name, value in given.items()}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
