"""Recall: dense and lexical candidates for a query."""
