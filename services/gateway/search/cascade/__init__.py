"""The cascade of a search: recall, then rank, then hits with what matched."""
