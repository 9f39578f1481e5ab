"""Reads the vectors of a `.npy` matrix row by row."""

import io
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from services.common.errors import InvalidRequest
from services.indexer.intake.record import BadInput
from services.indexer.rows import Vector


def check_npy(head: bytes, dimension: int) -> None:
    """Raises InvalidRequest if the header of a .npy file shows that its vectors do not fit."""
    try:
        _header(io.BytesIO(head), dimension)
    except BadInput as error:
        raise InvalidRequest(str(error)) from error


def npy_rows(stream: IO[bytes], dimension: int) -> Iterator[Vector]:
    """A vector, float32 [dimension], for each row. Raises BadInput for another layout."""
    rows, dtype = _header(stream, dimension)
    width = dtype.itemsize * dimension
    for row in range(rows):
        block = stream.read(width)
        if len(block) < width:
            raise BadInput(
                f"The .npy file is cut off after {row:,} of {rows:,} rows; send it again."
            )
        yield np.frombuffer(block, dtype=dtype).astype(np.float32)


def _header(stream: IO[bytes], dimension: int) -> tuple[int, Any]:
    """The number of rows and the type of the values."""
    try:
        major, _ = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if major == 1
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise BadInput("The vectors are no .npy file; write them with numpy.save.") from error
    if len(shape) != 2 or fortran or dtype.kind != "f":
        raise BadInput("The .npy file must hold a float matrix [documents, dimension], C order.")
    if shape[1] != dimension:
        raise BadInput(f"The vectors have dimension {shape[1]}, the encoder has {dimension}.")
    return int(shape[0]), dtype
