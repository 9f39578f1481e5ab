"""Vectors of many texts: extracts them to files, loads such files, and compares texts."""
