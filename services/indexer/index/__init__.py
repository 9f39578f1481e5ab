"""The index: collections in Milvus, and the only code that writes them."""
