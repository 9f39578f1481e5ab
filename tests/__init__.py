"""Tests, one package per area; `tests.servers` runs the real servers they need."""
