"""A call of the REST API as a value, and the paths of calls.

The functions that make a path raise XunwenError for a name or an id that the path cannot hold: sent
as it is, such a call would reach another route.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ValidationError

from services.common.documents import check_id
from services.common.paths import segment
from services.common.validation import first_reason
from xunwen.client.errors import XunwenError

T = TypeVar("T", bound=BaseModel)

_SHOWN = 80
"""Characters of a name that a message quotes."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One exchange: what to send and how to read the answer."""

    method: str
    path: str
    answer: type[T]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    """Whether sending it twice does the same as sending it once."""


class Nothing(BaseModel):
    """The answer of a call whose body is not needed."""


class Text(BaseModel):
    """The answer of a call that returns text."""

    text: str


class NotGiven(Enum):
    """The type of NOT_GIVEN."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final = NotGiven.NOT_GIVEN
"""Stands for what the caller does not name, where None has a meaning of its own."""


def given(**values: Any) -> dict[str, Any]:
    """The values that the caller has set; the server has defaults for the others."""
    return {key: value for key, value in values.items() if value is not None}


def listed(values: Sequence[str], name: str) -> list[str]:
    """The texts of an argument as a list. Raises XunwenError for a single text, whose letters would
    be taken for texts otherwise."""
    if isinstance(values, str):
        raise XunwenError(
            f"`{name}` is a list of texts and not one text; write [{values[:_SHOWN]!r}]."
        )
    return list(values)


class _Options(Protocol):
    """The options of a call, which know how they are written as query parameters."""

    @classmethod
    def model_validate(cls, obj: Any, /) -> Self: ...

    def params(self) -> dict[str, str]: ...


def parameters(kind: type[_Options], what: str, members: Mapping[str, Any]) -> dict[str, str]:
    """The query parameters of a call with these members, without those that are None. Raises
    XunwenError for members that it cannot have; the message begins with `what`."""
    named = given(**members)
    if "filter" in named:
        named["filter"] = _condition(named["filter"])
    try:
        return kind.model_validate(named).params()
    except ValidationError as error:
        raise XunwenError(f"{what}: {first_reason(error)}.") from error


def _condition(filter: object) -> object:
    """A filter as JSON. Raises XunwenError if it cannot be written so."""
    if not isinstance(filter, Mapping):
        raise XunwenError('The filter is no object; write it as {"year": {"gte": 2015}}.')
    try:
        return json.dumps(dict(filter), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise XunwenError(f"The filter cannot be written as JSON: {error}.") from error


def collection_path(name: str) -> str:
    """The path of a collection."""
    return f"/v1/collections/{name_segment(name, 'collection')}"


def document_path(
    collection: str,
    document_id: str,
    part: Literal["documents", "originals", "vectors"] = "documents",
) -> str:
    """The path of a document, of its original file or of its vector."""
    try:
        return f"{collection_path(collection)}/{part}/{segment(check_id(document_id))}"
    except ValueError as error:
        raise XunwenError(f"The id {document_id[:_SHOWN]!r} is not possible: {error}.") from error


def job_path(job_id: str) -> str:
    """The path of a job."""
    return f"/v1/index-jobs/{name_segment(job_id, 'job')}"


def name_segment(value: str, what: str) -> str:
    """A name as a segment of a path. Names have no slash: servers read `%2F` as one."""
    try:
        if "/" in value:
            raise ValueError("it holds a slash")
        return segment(value)
    except ValueError as error:
        raise XunwenError(f"There is no {what} {value[:_SHOWN]!r}: {error}.") from error
