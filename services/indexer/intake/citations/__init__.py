"""Exports of reference managers: their entries become documents with typed fields."""
