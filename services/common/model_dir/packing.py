"""Weights small enough for git: int8 codes with scales, and bfloat16 split into byte planes.

The exporter rounds every weight to a form that needs one or two bytes, so what git holds is exact:

- large matrices are int8 codes times one float32 scale per row and one per column. The codes lie
  in a file of their own, which the int8 program reads too;
- everything else is float32 rounded to bfloat16. The two low bytes of each value are zero and are
  dropped. Of the two high bytes, sign and exponent repeat and compress to two fifths; the fraction
  does not compress and is stored as it is.

`weights.packed` has 8 bytes of magic, the uint32 size of a JSON header {sha256, size, spans, coded,
sections}, then the sections `frame` (all bytes outside the tensors, LZMA), `high` (LZMA), `low`
(raw) and `scales` (raw float32: of each coded tensor its rows, then its columns).
"""

import hashlib
import json
import lzma
import os
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.errors import ModelInvalid
from services.common.model_dir.files import PACKED, sha256_of
from services.common.model_dir.manifest import read_manifest
from services.common.model_dir.pdiparams import FLOAT32, NotPdiparams, tensor_spans

_MAGIC = b"XWPACK01"
_SECTIONS_WITHOUT_CODES = 3
"""Number of sections in packed files that were written before there were codes."""
_DAMAGES = (
    *(struct.error, lzma.LZMAError, RecursionError),
    *(ValueError, KeyError, TypeError, IndexError),
)
"""The errors by which a damaged file of packed weights shows."""

FloatRow = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CodedTensor:
    """A float32 matrix [rows, columns] that is stored as int8 codes."""

    start: int
    """First byte of the values in the weights file."""
    offset: int
    """First byte of the codes in the codes file; they are stored row by row."""
    row_scales: FloatRow
    column_scales: FloatRow

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the tensor."""
        return len(self.row_scales), len(self.column_scales)

    @property
    def end(self) -> int:
        """Byte of the weights file after the last value."""
        return self.start + 4 * len(self.row_scales) * len(self.column_scales)

    def values(self, codes: bytes) -> bytes:
        """The float32 values, given the content of the codes file."""
        rows, columns = self.shape
        table: Codes = np.frombuffer(codes, np.int8, rows * columns, self.offset)
        return decoded(table.reshape(rows, columns), self.row_scales, self.column_scales).tobytes()


def decoded(codes: Codes, row_scales: FloatRow, column_scales: FloatRow) -> FloatRow:
    """code * row scale * column scale in float32, in this order, so that every bit is the same."""
    values: FloatRow = codes.astype(np.float32) * row_scales[:, None] * column_scales[None, :]
    return values


def pack(directory: Path | str, coded: Sequence[CodedTensor] = ()) -> Path:
    """Write `weights.packed` from the weights of `directory`; return its path.

    `coded` names the tensors whose values follow from the manifest's codes file. Raises
    ModelInvalid when they do not, or when another tensor is not bfloat16-rounded float32 in
    Paddle's format.
    """
    directory = Path(directory)
    files = read_manifest(directory).files
    content = (directory / files.weights.file).read_bytes()
    coded = sorted(coded, key=lambda tensor: tensor.start)
    if coded:
        codes = _codes(directory)
        if any(content[each.start : each.end] != each.values(codes) for each in coded):
            raise ModelInvalid(f"model {directory.name}: codes and weights are not of one export")
    starts = {tensor.start for tensor in coded}
    try:
        spans = [
            (span.start, span.end)
            for span in tensor_spans(content)
            if span.data_type == FLOAT32 and span.start not in starts
        ]
    except NotPdiparams as error:
        raise ModelInvalid(f"model {directory.name}: {error}") from error
    values = b"".join(content[start:end] for start, end in spans)
    planes = np.frombuffer(values, dtype=np.uint8).reshape(-1, 4)
    if planes[:, :2].any():
        raise ModelInvalid(
            f"model {directory.name}: the weights are not rounded to bfloat16 and would lose "
            "precision; export the model again with packing on"
        )
    everything = sorted([*spans, *((tensor.start, tensor.end) for tensor in coded)])
    sections = [
        lzma.compress(_outside(content, everything), preset=6),
        lzma.compress(planes[:, 3].tobytes(), preset=6),
        planes[:, 2].tobytes(),
        b"".join(each.row_scales.tobytes() + each.column_scales.tobytes() for each in coded),
    ]
    header = json.dumps(
        {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "spans": spans,
            "coded": [[tensor.start, tensor.offset, *tensor.shape] for tensor in coded],
            "sections": [len(section) for section in sections],
        }
    ).encode()
    target = directory / PACKED
    _replace(target, b"".join([_MAGIC, struct.pack("<I", len(header)), header, *sections]))
    return target


def unpack(directory: Path | str) -> Path:
    """Recreate the weights of `directory` bit by bit; returns their path.

    Does nothing when they are there already. Raises ModelInvalid when they cannot be made.
    """
    directory = Path(directory)
    expected = read_manifest(directory).files.weights
    target, packed = directory / expected.file, directory / PACKED
    if target.is_file() and sha256_of(target) == expected.sha256:
        return target
    if not packed.is_file():
        raise ModelInvalid(
            f"model {directory.name}: {PACKED} is missing; restore it from the repository"
        )
    try:
        content = _join(packed.read_bytes(), directory)
    except _DAMAGES as error:
        raise ModelInvalid(
            f"model {directory.name}: {PACKED} is damaged; restore it from the repository"
        ) from error
    if hashlib.sha256(content).hexdigest() != expected.sha256:
        raise ModelInvalid(
            f"model {directory.name}: {PACKED} does not belong to the manifest (sha256 differs); "
            "restore both from the same revision"
        )
    _replace(target, content)
    return target


def _join(packed: bytes, directory: Path) -> bytes:
    if packed[: len(_MAGIC)] != _MAGIC:
        raise ValueError("not a packed model")
    (size,) = struct.unpack_from("<I", packed, len(_MAGIC))
    position = len(_MAGIC) + 4
    header = json.loads(packed[position : position + size])
    position += size
    sections = []
    for length in header["sections"]:
        sections.append(packed[position : position + length])
        position += length
    if len(sections) == _SECTIONS_WITHOUT_CODES:
        sections.append(b"")
    frame, high, low = lzma.decompress(sections[0]), lzma.decompress(sections[1]), sections[2]
    planes: npt.NDArray[np.uint8] = np.zeros((len(low), 4), dtype=np.uint8)
    planes[:, 2] = np.frombuffer(low, dtype=np.uint8)
    planes[:, 3] = np.frombuffer(high, dtype=np.uint8)
    rounded, taken = planes.tobytes(), 0
    tensors: dict[tuple[int, int], bytes] = {}
    for start, end in header["spans"]:
        tensors[start, end] = rounded[taken : taken + end - start]
        taken += end - start
    coded = _coded(header.get("coded", []), sections[3])
    if coded:
        codes = _codes(directory)
        tensors |= {(each.start, each.end): each.values(codes) for each in coded}
    pieces, frame_at, outside = [], 0, 0
    for start, end in sorted(tensors):
        pieces += [frame[frame_at : frame_at + start - outside], tensors[start, end]]
        frame_at += start - outside
        outside = end
    return b"".join([*pieces, frame[frame_at:]])


def _coded(described: Sequence[Sequence[int]], scales: bytes) -> list[CodedTensor]:
    values, at, tensors = np.frombuffer(scales, np.float32), 0, []
    for start, offset, rows, columns in described:
        row_scales, column_scales = values[at : at + rows], values[at + rows : at + rows + columns]
        tensors.append(CodedTensor(start, offset, row_scales, column_scales))
        at += rows + columns
    return tensors


def _codes(directory: Path) -> bytes:
    """The content of the codes file, checked. Raises ModelInvalid."""
    described = read_manifest(directory).files.codes
    if described is None:
        raise ModelInvalid(f"model {directory.name}: {PACKED} needs codes, the manifest names none")
    path = directory / described.file
    if not path.is_file() or sha256_of(path) != described.sha256:
        raise ModelInvalid(
            f"model {directory.name}: {described.file} is missing or damaged; "
            "restore it from the repository"
        )
    return path.read_bytes()


def _outside(content: bytes, spans: list[tuple[int, int]]) -> bytes:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(content)]
    return b"".join(content[start:end] for start, end in zip(starts, ends, strict=True))


def _replace(target: Path, content: bytes) -> None:
    """Writes a file whole or not at all, also if two processes unpack at once."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
