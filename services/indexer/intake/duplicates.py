"""Finds the documents of a file that a later document with the same id replaces."""

import hashlib
import tempfile
from collections import defaultdict
from typing import Self

import numpy as np

_RECORD = np.dtype([("high", "<u8"), ("low", "<u8"), ("part", "<u4"), ("position", "<u4")])
_AT_ONCE = 2_000_000
"""Number of records sorted in memory at a time, 48 MB of them."""


class DuplicateFinder:
    """Remembers ids as 128-bit hashes in a temporary file; memory stays bounded."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def add(self, identity: str, part: int, position: int) -> None:
        """Adds a document; documents come in the order of the file."""
        digest = hashlib.blake2b(identity.encode(), digest_size=16).digest()
        self._file.write(digest + part.to_bytes(4, "little") + position.to_bytes(4, "little"))
        self._count += 1

    def superseded(self) -> dict[int, set[int]]:
        """For each part the positions whose id comes again later; the last one of each id stays."""
        replaced: dict[int, set[int]] = defaultdict(set)
        if not self._count:
            return replaced
        self._file.flush()
        records = np.memmap(self._file, dtype=_RECORD, mode="r", shape=(self._count,))
        rounds = -(-self._count // _AT_ONCE)
        for turn in range(rounds):
            chosen = [
                block[block["low"] % rounds == turn]
                for start in range(0, self._count, _AT_ONCE)
                if len(block := records[start : start + _AT_ONCE])
            ]
            group = np.concatenate(chosen)
            # A stable sort: equal ids keep the order of the file.
            group = group[np.lexsort((group["low"], group["high"]))]
            same = (group["high"][:-1] == group["high"][1:]) & (
                group["low"][:-1] == group["low"][1:]
            )
            for record in group[:-1][same]:
                replaced[int(record["part"])].add(int(record["position"]))
        return replaced
