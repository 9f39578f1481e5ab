"""Divides papers into those that tune and those that judge, by one rule for training, calibration
and reports.

The papers of `literature_papers.jsonl` are never trained on. Half of them tune fusion weights,
blend and calibration; the other half is used for reports only.
"""

import hashlib
from enum import StrEnum


class Split(StrEnum):
    DEV = "dev"
    TEST = "test"
    ALL = "all"

    def holds(self, paper_id: str) -> bool:
        return self is Split.ALL or split_of(paper_id) is self


def split_of(paper_id: str) -> Split:
    """DEV when sha1(paper id) modulo 10 is below 5, else TEST: stable under any file order."""
    digest = hashlib.sha1(paper_id.encode("utf-8"), usedforsecurity=False).digest()
    return Split.DEV if int.from_bytes(digest, "big") % 10 < 5 else Split.TEST


def held_out_query(query: str) -> bool:
    """Whether a query of the general pairs or of the web judgements is kept from training.

    This holds for one query in ten, by its text, so all lines of one query are on the same side.
    """
    digest = hashlib.sha1(query.strip().encode("utf-8"), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") % 10 == 0
