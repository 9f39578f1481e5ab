"""Metadata fields: their names and types, the values that can be stored, their columns in the
index, and the operands that filters compare them with."""
