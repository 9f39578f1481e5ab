"""The types of metadata fields that the owner of a collection declares, and the check of values.

A value that is written in another form of its type is stored in the usual one: the text "2015" of a
number field as 2015, the number 2015 of a date field as "2015", 2015年3月1日 as "2015-03-01".
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.common.fields.names import WHOLE_NAME
from services.common.fields.values import FieldValue, Scalar

MAX_TYPES = 32
"""Most fields of a collection that have a declared type."""
MAX_WEIGHT = 10
MEMBERS = ("title", "text", "body")
"""Members of every document that hold text. They need no type, but their words have a weight as
those of metadata have."""
MOST_NUMBER = 2**53
"""Numbers of a number field are below this, so that each is exact as a float of 64 bits."""
_NUMBER = re.compile(r"[-+]?\d{1,16}(?:\.\d{1,16})?(?:[eE][-+]?\d{1,3})?")
_CONTROLS = re.compile(r"[\x00-\x1f]")
_DATE = re.compile(
    r"(?P<year>\d{4})(?:[-/.年](?P<month>\d{1,2})(?:[-/.月](?P<day>\d{1,2})日?|月)?|年)?"
)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")


class FieldKind(StrEnum):
    """What the values of a field are."""

    KEYWORD = "keyword"
    """One text that is compared as a whole, such as a discipline."""
    KEYWORDS = "keywords"
    """One or more such texts."""
    NUMBER = "number"
    DATE = "date"
    TEXT = "text"
    """Running text, which is searched by words and neither sorted nor counted."""


class FieldType(BaseModel):
    """The declared type of a field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: FieldKind
    weight: int = Field(
        default=1,
        ge=0,
        le=MAX_WEIGHT,
        strict=True,
        description="How many times the words of the field count where documents are found by"
        " words; 0 leaves them out. Numbers and dates have none",
    )

    @model_validator(mode="after")
    def _weighs_words(self) -> "FieldType":
        if self.weight != 1 and self.type in (FieldKind.NUMBER, FieldKind.DATE):
            raise ValueError("numbers and dates have no weight, the other types have one")
        return self


def _bare(given: Any) -> Any:
    """Takes the bare name of a type."""
    return {"type": given} if isinstance(given, str) else given


def _of_members(types: dict[str, FieldType]) -> dict[str, FieldType]:
    for name in MEMBERS:
        if name in types and types[name].type is not FieldKind.TEXT:
            raise ValueError(
                f"`{name}` is a text of every document; it can be declared as `text`, with a weight"
            )
    return types


FieldTypes = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=WHOLE_NAME)],
        Annotated[FieldType, BeforeValidator(_bare, json_schema_input_type=FieldType | FieldKind)],
    ],
    Field(
        max_length=MAX_TYPES,
        description="Types by the name of the field: `keyword`, `keywords`, `number`, `date`,"
        ' `text`, or {"type": "text", "weight": 3}; `title`, `text` and `body` are texts, which may'
        " have a weight",
        examples=[{"year": "number", "title": {"type": "text", "weight": 3}}],
        json_schema_extra={"additionalProperties": False},  # Pydantic leaves other names open.
    ),
    AfterValidator(_of_members),
]
"""Declared types by the name of the field."""


def weight_of(name: str, types: Mapping[str, FieldType] | None) -> int:
    """How many times the words of a member or a metadata field count."""
    return types[name].weight if types and name in types else 1


def typed(
    fields: Mapping[str, FieldValue], types: Mapping[str, FieldType]
) -> dict[str, FieldValue]:
    """The metadata with the values of declared fields in the usual form of their types.

    Raises ValueError, whose message names the field and says what to send.
    """
    checked = dict(fields)
    for name, declared in types.items():
        if name in checked:
            try:
                checked[name] = _READERS[declared.type](checked[name])
            except ValueError as error:
                raise ValueError(
                    f"`{name}` is declared as {declared.type}, and {_shown(checked[name])} {error}"
                ) from None
    return checked


def _shown(value: FieldValue) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


def _number(value: FieldValue) -> FieldValue:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = float(value)
        value = int(number) if number.is_integer() else number
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not one number; send a number, or leave the field out")
    if not abs(value) < MOST_NUMBER:
        raise ValueError(f"is too large; a number is below {MOST_NUMBER:,}")
    return value


def _keyword(value: FieldValue) -> FieldValue:
    if isinstance(value, list):
        raise ValueError("is a list; send one text, or declare the field as keywords")
    return _word(value)


def _keywords(value: FieldValue) -> FieldValue:
    return [_word(item) for item in value] if isinstance(value, list) else _word(value)


def _word(value: Scalar) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("is not a text; send a text")
    word = str(value)
    if _CONTROLS.search(word):
        raise ValueError("holds a line break or another control character; leave it out")
    return word


def _text(value: FieldValue) -> FieldValue:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in texts):
        raise ValueError("is not a text; send a text or a list of texts")
    return value


def _date(value: FieldValue) -> FieldValue:
    written = str(value).strip() if type(value) in (int, str) else ""
    try:
        if found := _DATE.fullmatch(written):
            parts = [int(part) for part in found.groups() if part is not None]
            date(*[*parts, 1, 1][:3])
            return "-".join([f"{parts[0]:04d}", *(f"{part:02d}" for part in parts[1:])])
        if _TIME.match(written):
            return datetime.fromisoformat(written).isoformat()
    except ValueError:
        pass
    raise ValueError("is no date; send YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss")


def is_date(text: str) -> bool:
    """Whether a text is a date in a form that a date field takes, and not a year alone, which may
    be any number."""
    try:
        return "-" in str(_date(text))
    except ValueError:
        return False


_READERS = {
    FieldKind.KEYWORD: _keyword,
    FieldKind.KEYWORDS: _keywords,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.TEXT: _text,
}
