"""The schemas of physical collections, with and without Milvus's BM25 function."""

from collections.abc import Collection
from typing import Any

from pymilvus import DataType, Function, FunctionType, MilvusClient

from services.common.collection import (
    CONTENT,
    MAX_PASSAGE_KEY_BYTES,
    ColumnType,
    Field,
    PassageField,
)
from services.common.documents import MAX_ID_BYTES
from services.common.fields.columns import is_number, partition_column
from services.common.fields.values import MAX_STRING_BYTES
from services.common.text.passages import MAX_SECTION_CHARS
from services.indexer.index.milvus.choice import IndexKind

_VARCHAR_BYTES = 65_535


PARTITIONS = 64
"""Number of partitions over which a server spreads the values of a partition key."""


def collection_schema(
    dimension: int, *, lexical: bool, typed: Collection[str] = (), partitioned: bool = False
) -> Any:
    """The schema of a collection of vectors of this dimension, with words if `lexical` and with
    these columns for fields of declared types, by one of which the server divides the rows if
    `partitioned`."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for column in CONTENT:
        limit = {"max_length": column.max_bytes} if column.kind is ColumnType.TEXT else {}
        key = {"is_primary": True} if column.field is Field.ID else {}
        schema.add_field(column.field, DataType[column.kind], **key, **limit)
    schema.add_field(Field.VERSION, DataType.INT64)
    _add_searched(schema, dimension, lexical=lexical, typed=typed, partitioned=partitioned)
    return schema


def passages_schema(
    dimension: int, *, lexical: bool, typed: Collection[str] = (), partitioned: bool = False
) -> Any:
    """The schema of the collection that holds passages, with the columns of their documents'
    fields."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for name, limit in (
        (Field.ID, MAX_PASSAGE_KEY_BYTES),
        (PassageField.DOCUMENT, MAX_ID_BYTES),
        (Field.TEXT, _VARCHAR_BYTES),
        (PassageField.SECTION, 4 * MAX_SECTION_CHARS),
    ):
        key = {"is_primary": True} if name is Field.ID else {}
        schema.add_field(name, DataType.VARCHAR, max_length=limit, **key)
    for number in (PassageField.NUMBER, PassageField.COUNT, PassageField.START, PassageField.PAGE):
        schema.add_field(number, DataType.INT64)
    schema.add_field(Field.FIELDS, DataType.JSON)
    _add_searched(schema, dimension, lexical=lexical, typed=typed, partitioned=partitioned)
    return schema


def _add_searched(
    schema: Any, dimension: int, *, lexical: bool, typed: Collection[str], partitioned: bool
) -> None:
    """Adds the fields that searches use: those of filters, the vector, and the words if
    `lexical`."""
    schema.add_field(Field.FACETS, DataType.JSON)
    key = partition_column(typed) if partitioned else None
    for column in typed:
        if is_number(column):
            schema.add_field(column, DataType.DOUBLE)
        else:
            schema.add_field(
                column,
                DataType.VARCHAR,
                max_length=MAX_STRING_BYTES,
                is_partition_key=column == key,
            )
    schema.add_field(Field.VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    if lexical:
        schema.add_field(
            Field.WORDS,
            DataType.VARCHAR,
            max_length=_VARCHAR_BYTES,
            enable_analyzer=True,
            # The words were cut before, by our own analysis.
            analyzer_params={"tokenizer": "whitespace"},
        )
        schema.add_field(Field.LEXICAL, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=[Field.WORDS],
                output_field_names=[Field.LEXICAL],
            )
        )


def collection_indexes(
    kind: IndexKind, parameters: dict[str, Any], *, lexical: bool, typed: Collection[str] = ()
) -> Any:
    """The indexes over the vectors, of a kind with its build parameters, over the words, and over
    the columns of fields."""
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index(Field.VECTOR, index_type=kind.value, metric_type="IP", params=parameters)
    if lexical:
        indexes.add_index(
            Field.LEXICAL, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params={}
        )
    for column in typed:
        indexes.add_index(column, index_type="STL_SORT" if is_number(column) else "Trie")
    return indexes
