"""The DocumentIndex port on Milvus, and what it keeps of the rows that it read."""
