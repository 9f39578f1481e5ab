"""Bulk jobs: their acceptance, their ledgers, and the work of workers on them."""
