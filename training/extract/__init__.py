"""Vectors in bulk: extract them to files, load such files, compare texts."""
