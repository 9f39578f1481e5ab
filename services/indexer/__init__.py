"""Indexer: bulk jobs, single documents, collections.

Two programs: `python -m services.indexer` keeps the ledger and is the only one that writes
the index; `python -m services.indexer.worker` plans inputs and encodes parts, and any number of
them may run. Both read the settings of `services.indexer.settings`.
"""
