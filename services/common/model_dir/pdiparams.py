"""Finds the float32 weights inside a `.pdiparams` file (Paddle's combined parameters).

Layout per tensor: uint32 version, uint64 level count (levels follow, none for weights), uint32
version, int32 size of a protobuf description {1: data type, 2: dimensions}, then the raw values.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

_ITEM_BYTES = {0: 1, 1: 2, 2: 4, 3: 8, 4: 2, 5: 4, 6: 8, 20: 1, 21: 1, 22: 2}
"""Size in bytes of one value of each data type of Paddle's framework.proto."""
FLOAT32 = 5


class NotPdiparams(ValueError):
    """The bytes are not combined parameters in the known layout."""


@dataclass(frozen=True, slots=True)
class TensorSpan:
    """Bytes `start` to `end` of the file hold one tensor's values, row by row."""

    start: int
    end: int
    data_type: int
    dimensions: tuple[int, ...]


def tensor_spans(content: bytes) -> list[TensorSpan]:
    """Every tensor of the file in order. Raises NotPdiparams."""
    try:
        return list(_spans(content))
    except (struct.error, IndexError, KeyError) as error:
        raise NotPdiparams("the weights are not in Paddle's combined format") from error


def _spans(content: bytes) -> Iterator[TensorSpan]:
    position = 0
    while position < len(content):
        version, levels, tensor_version, size = struct.unpack_from("<IQIi", content, position)
        if version or levels or tensor_version or size <= 0:
            raise NotPdiparams(f"no tensor begins at byte {position}")
        start = position + struct.calcsize("<IQIi") + size
        data_type, dimensions = _description(content[start - size : start])
        end = start + prod(dimensions) * _ITEM_BYTES[data_type]
        if end > len(content):
            raise NotPdiparams("the last tensor is cut short")
        yield TensorSpan(start, end, data_type, tuple(dimensions))
        position = end


def _description(message: bytes) -> tuple[int, list[int]]:
    data_type, dimensions, position = -1, [], 0
    while position < len(message):
        tag, position = _varint(message, position)
        value, position = _varint(message, position)
        if tag == 0x08:
            data_type = value
        elif tag == 0x10:
            dimensions.append(value)
        else:
            raise NotPdiparams(f"unknown field {tag >> 3} in a tensor's description")
    return data_type, dimensions


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
