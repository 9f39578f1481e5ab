"""Bulk jobs: what is accepted, its ledger, and who works on what."""
