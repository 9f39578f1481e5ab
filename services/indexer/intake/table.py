"""Reads Apache Parquet: its columns, which are known before any row is read, and its rows."""

import json
from collections.abc import Collection, Iterator
from datetime import date, time
from decimal import Decimal
from typing import IO, Any
from uuid import UUID

import pyarrow as pa
from pyarrow import compute, parquet

from services.indexer.intake.record import EXCERPT_CHARS, BadInput, Record, named_twice

_BATCH_ROWS = 256
_EXACT_DIGITS = 15
"""Number of significant digits that a float keeps exactly."""
_UNREADABLE = (ValueError, LookupError, ArithmeticError)
"""Errors of a single value, such as a text that is not UTF-8, a time in a zone that does not exist
and a date beyond the year 9999."""
_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
"""Questions of which Arrow's kinds of lists pass one."""
_BYTES = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)
"""Questions of which Arrow's kinds of bytes pass one."""


def table(
    stream: IO[bytes], vector: str | None = None, taken: Collection[str] | None = None
) -> Iterator[Record]:
    """A record for each row, of the columns `taken`, or of all. Raises BadInput if the file is
    damaged.

    The values of the column `vector` are arrays, if they all have one length, and are not shown
    among the errors. Failures of the stream itself are not Arrow's errors and pass through as they
    are.
    """
    number = 0
    try:
        source = _opened(stream)
        schema = source.schema_arrow
        stored = {
            name: column
            for name, column in zip(_names(schema), schema.names, strict=True)
            if taken is None or name in taken
        }
        columns = list(stored.values())
        for batch in source.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
            # The reader takes `a.b` for a part of `a`, and gives both.
            batch = batch.select(columns).rename_columns(list(stored))
            objects = [item.name for item in batch.schema if _is_json(item.type)]
            vectors = None if vector is None else _vectors(batch, vector)
            if vectors is not None:
                batch = batch.drop_columns([vector])
            for place, (values, problem) in enumerate(_rows(batch)):
                number += 1
                problem = problem or _read_objects(values, objects)
                shown = _shown(values, vector)
                if vectors is not None:
                    values[str(vector)] = vectors[place]
                yield Record(number, None if problem else values, problem, shown)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            f"The Parquet file is damaged after row {number}; write it again and check it."
        ) from error


def columns(stream: IO[bytes]) -> dict[str, Any]:
    """The Arrow type of each column. Raises BadInput."""
    try:
        schema = _opened(stream).schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise BadInput(
            "The Parquet file is damaged or cut off: its footer cannot be read. Write it again."
        ) from error
    return dict(zip(_names(schema), schema.types, strict=True))


def unfit(kind: Any) -> str:
    """The reason why no value of a column of this Arrow type can be metadata; empty if they can."""
    if _is_json(kind):
        return "holds objects"
    if isinstance(kind, pa.UuidType):
        return ""
    if isinstance(kind, pa.BaseExtensionType):
        return unfit(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return unfit(kind.value_type)
    if any(is_list(kind) for is_list in _LISTS):
        inner = kind.value_type
        if pa.types.is_nested(inner) or _is_json(inner):
            return "holds lists of lists or objects"
        return unfit(inner).replace("holds ", "holds lists of ")
    if pa.types.is_nested(kind):
        return "holds objects"
    if any(is_bytes(kind) for is_bytes in _BYTES):
        return "holds bytes"
    return "holds durations" if pa.types.is_duration(kind) else ""


def float_kind(kind: Any) -> bool:
    """Whether the values of a column of this Arrow type are floats."""
    return bool(pa.types.is_floating(kind))


def _is_json(kind: Any) -> bool:
    """Whether the type is Parquet's logical type JSON, which an export uses for the metadata."""
    return isinstance(kind, pa.JsonType)


def _opened(stream: IO[bytes]) -> Any:
    """The Parquet file that a stream holds, opened. Raises BadInput, and Arrow's own errors."""
    # The stream is buffered: otherwise a whole row group would be in memory, and some files have
    # only one.
    try:
        file = parquet.ParquetFile(stream, buffer_size=1 << 20)
        file.schema_arrow.names  # noqa: B018 - reading them decodes them
    except UnicodeDecodeError as error:
        raise BadInput(
            "The Parquet file is damaged: the name of a column is not UTF-8. Write it again."
        ) from error
    return file


def _names(schema: Any) -> list[str]:
    """The names of the columns, without the spaces around them. Raises BadInput if two columns have
    one name or a column has none."""
    names = [name.strip() for name in schema.names]
    if "" in names:
        raise BadInput(
            f"The column {names.index('') + 1} of the Parquet file has no name; name it or remove"
            " it."
        )
    if twice := named_twice(names):
        raise BadInput(f"The Parquet file has the column {twice} twice; rename one.")
    return names


def _vectors(batch: Any, name: str) -> Any:
    """A column of vectors as float [rows, dimension]; None if it is no such column."""
    place = batch.schema.get_field_index(name)
    if place < 0 or not pa.types.is_nested(batch.column(place).type):
        return None
    column = batch.column(place)
    if column.null_count or pa.types.is_struct(column.type) or pa.types.is_map(column.type):
        return None
    values = column.flatten()
    lengths = set(compute.unique(compute.list_value_length(column)).to_pylist())
    if values.null_count or not pa.types.is_floating(values.type) or len(lengths) != 1:
        return None
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _rows(batch: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """The rows of a batch, each with the reason why it cannot be read, or an empty one."""
    names = batch.schema.names
    try:
        columns = [_values(column) for column in batch.columns]
    except _UNREADABLE:
        for place in range(batch.num_rows):
            yield _row(batch.slice(place, 1))
        return
    for cells in zip(*columns, strict=True):
        yield dict(zip(names, cells, strict=True)), ""


def _row(one: Any) -> tuple[dict[str, Any], str]:
    row: dict[str, Any] = {}
    problem = ""
    for name, column in zip(one.schema.names, one.columns, strict=True):
        try:
            [row[name]] = _values(column)
        except _UNREADABLE:
            problem = f"has a value in {name} that cannot be read as text, number or date"
    return row, problem


def _values(column: Any) -> list[Any]:
    """The values of a column. Raises the errors of _UNREADABLE."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python knows no finer times than microseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [_plain(value) for value in column.to_pylist()]


def _read_objects(values: dict[str, Any], names: list[str]) -> str:
    """Replaces the JSON texts of these columns by their objects; returns the reason if one cannot
    be read."""
    for name in names:
        if values[name] is None:
            continue
        try:
            values[name] = json.loads(values[name])
        except (ValueError, RecursionError):
            return f"has a value in {name} that is no JSON"
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        if value == value.to_integral_value():
            return int(value)
        exact = len(value.normalize().as_tuple().digits) <= _EXACT_DIGITS
        return float(value) if exact else str(value)
    return value


def _shown(values: dict[str, Any], vector: str | None) -> str:
    values = {name: value for name, value in values.items() if name != vector}
    try:
        shown = json.dumps(values, ensure_ascii=False, default=str)[:EXCERPT_CHARS]
    except RecursionError:  # JSON of a column can be as deep as can just be read.
        return ""
    return shown.encode("utf-8", "replace").decode()
