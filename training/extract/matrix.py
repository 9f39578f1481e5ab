"""Writes a matrix whose rows come in blocks, and whose number of rows is known at the end."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from training import durable


def write_matrix(target: Path, blocks: Iterable[NDArray[np.float32]], dimension: int) -> int:
    """Writes blocks of rows, each float32 [rows, dimension], as one .npy file, and returns the
    number of rows. One block is in memory at a time; an earlier file stays until all is written."""
    rows = 0

    def fill(stream: IO[bytes]) -> None:
        nonlocal rows
        _write_header(stream, 0, dimension)
        for block in blocks:
            stream.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
            rows += len(block)
        stream.seek(0)
        _write_header(stream, rows, dimension)

    durable.replace(target, fill)
    return rows


def _write_header(stream: IO[bytes], rows: int, dimension: int) -> None:
    """NumPy leaves room for another number of rows, so all headers of a dimension are as long."""
    described = {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
    np.lib.format.write_array_header_1_0(stream, described)
