"""Reads uploaded files: compression, charsets, formats, columns, duplicates."""
