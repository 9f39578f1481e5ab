"""The gate of a rebuild: old and new index answer the golden queries and are compared."""
