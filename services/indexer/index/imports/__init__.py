"""Imports: stored tables become the files that Milvus's bulk import reads."""
