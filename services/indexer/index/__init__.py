"""The index: collections in Milvus and the one place that writes them."""
