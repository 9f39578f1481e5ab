"""Rank: orders the candidates of recall."""
