"""What the ledger of a job gives to the import of its rows."""

from services.indexer.index.imports.imports import Tables
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.ledger import JobLedger


def stored_tables(ledger: JobLedger) -> tuple[Tables, Tables]:
    """The tables of rows and those of passages that workers stored, in the order of the parts."""
    job = ledger.manifest.id
    written = sorted((key, one) for key, one in ledger.results.items() if one.indexed)
    rows = [JobFiles.rows_key(job, one.token, key) for key, one in written]
    passages = [JobFiles.passages_key(job, one.token, key) for key, one in written if one.passages]
    return (
        Tables(rows, sum(one.indexed for _, one in written)),
        Tables(passages, sum(one.passages for _, one in written)),
    )
