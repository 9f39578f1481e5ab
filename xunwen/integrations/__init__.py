"""Retrievers for other frameworks, each behind the extra of its name."""
