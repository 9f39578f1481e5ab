"""Columns of the index for metadata fields with a declared type, beside the JSON of all metadata.

A filter on such a column compares values, or asks a scalar index; on JSON it parses that of every
row. A column holds the single number or the single text of a field; a row whose field is absent or
of another kind has a value there that no field can have.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from services.common.fields.types import FieldKind, FieldType

NUMBER, TEXT, PARTITION = "n", "s", "p"
"""The kinds of columns, with which their names begin. PARTITION holds the texts of the one field by
which a server divides the rows."""
NO_NUMBER = -1e300
NO_TEXT = "\x1a"
"""What a column holds for a row without a value: below every number of a number field, and a
control character, which no keyword holds."""
_KINDS = {FieldKind.NUMBER: NUMBER, FieldKind.KEYWORD: TEXT, FieldKind.DATE: TEXT}
"""The kind of column of those types that have one."""
_PREFIXES = frozenset({f"{NUMBER}_", f"{TEXT}_", f"{PARTITION}_"})


@lru_cache(maxsize=4096)
def column_name(kind: str, field: str) -> str:
    """The name of a field's column. Names of columns have Latin letters only, and those of fields
    any script, so the column has a digest."""
    digest = blake2b(field.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{kind}_{digest}"


def columns_of(types: Mapping[str, FieldType], partition_key: str | None = None) -> list[str]:
    """The columns of a collection whose fields have these types; one of them may be its partition
    key."""
    return [
        column_name(PARTITION if name == partition_key else _KINDS[declared.type], name)
        for name, declared in types.items()
        if declared.type in _KINDS
    ]


def typed_columns(columns: Iterable[str]) -> frozenset[str]:
    """Those of a collection's columns that belong to fields."""
    return frozenset(one for one in columns if one[:2] in _PREFIXES)


def is_number(column: str) -> bool:
    """Whether a column holds numbers; the others hold texts."""
    return column.startswith(NUMBER)


def partition_column(columns: Iterable[str]) -> str | None:
    """The column of the partition key among those of a collection; None if it has no such key."""
    return next((one for one in columns if one.startswith(f"{PARTITION}_")), None)


def operand_column(columns: Collection[str], field: str, operand: object) -> str | None:
    """The column of a field that holds values of the operand's kind; None if there is none."""
    if isinstance(operand, str):
        named = [column_name(TEXT, field), column_name(PARTITION, field)]
    elif isinstance(operand, int | float) and not isinstance(operand, bool):
        named = [column_name(NUMBER, field)]
    else:
        return None
    return next((one for one in named if one in columns), None)


def typed_values(fields: Mapping[str, Any], columns: Collection[str]) -> dict[str, float | str]:
    """What the columns hold for a document with this metadata."""
    values: dict[str, float | str] = {
        column: NO_NUMBER if is_number(column) else NO_TEXT for column in columns
    }
    for name, value in fields.items() if columns else ():
        column = operand_column(columns, name, value)
        if column is not None:
            values[column] = value if isinstance(value, str) else float(value)
    return values
