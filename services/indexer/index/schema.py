"""The schema of a physical collection, with and without Milvus's BM25 function."""

from typing import Any

from pymilvus import DataType, Function, FunctionType, MilvusClient

from services.common.collection import Field
from services.common.documents import MAX_ID_BYTES, MAX_TITLE_BYTES
from services.indexer.index.choice import IndexKind

_VARCHAR_BYTES = 65_535


def collection_schema(dimension: int, *, lexical: bool) -> Any:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(Field.ID, DataType.VARCHAR, is_primary=True, max_length=MAX_ID_BYTES)
    schema.add_field(Field.TITLE, DataType.VARCHAR, max_length=MAX_TITLE_BYTES)
    schema.add_field(Field.TEXT, DataType.VARCHAR, max_length=_VARCHAR_BYTES)
    schema.add_field(Field.FIELDS, DataType.JSON)
    schema.add_field(Field.VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field(Field.VERSION, DataType.INT64)
    if lexical:
        schema.add_field(
            Field.WORDS,
            DataType.VARCHAR,
            max_length=_VARCHAR_BYTES,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
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
    return schema


def collection_indexes(kind: IndexKind, parameters: dict[str, Any], *, lexical: bool) -> Any:
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index(Field.VECTOR, index_type=kind.value, metric_type="IP", params=parameters)
    if lexical:
        indexes.add_index(
            Field.LEXICAL, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params={}
        )
    return indexes
