"""The VectorIndex port on Milvus: schemas, rows and passages in its form."""
