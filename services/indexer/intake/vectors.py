"""A `.npy` matrix read row by row."""

from collections.abc import Iterator
from typing import IO

import numpy as np

from services.indexer.intake.record import BadInput
from services.indexer.rows import Vector


def npy_rows(stream: IO[bytes], dimension: int) -> Iterator[Vector]:
    """float32 [dimension] per row. Raises BadInput for another dimension or layout."""
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
    width = dtype.itemsize * dimension
    for _row in range(shape[0]):
        block = stream.read(width)
        if len(block) < width:
            raise BadInput("The .npy file is cut off; send it again.")
        yield np.frombuffer(block, dtype=dtype).astype(np.float32)
