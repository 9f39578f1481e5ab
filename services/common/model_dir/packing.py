"""Weights small enough for git: float32 that are bfloat16 in disguise, split into byte planes.

The exporter rounds weights to bfloat16 before it writes the program, so the two low bytes of each
float32 are zero and need no room. Of the two high bytes, sign and exponent repeat and compress to
two fifths; the fraction does not and is stored as it is.

File: 8 bytes magic, uint32 size of a JSON header {sha256, size, spans, sections}, then the sections
`frame` (all bytes outside the spans, LZMA), `high` (LZMA) and `low` (raw).
"""

import hashlib
import json
import lzma
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.common.errors import ModelInvalid
from services.common.model_dir.manifest import PACKED, read_manifest, sha256_of
from services.common.model_dir.pdiparams import FLOAT32, NotPdiparams, tensor_spans

_MAGIC = b"XWPACK01"


def pack(directory: Path | str) -> Path:
    """Write `weights.packed` from the weights of `directory`; returns its path.

    Raises ModelInvalid when the weights are not bfloat16-rounded float32 in Paddle's format.
    """
    directory = Path(directory)
    weights = directory / read_manifest(directory).files.weights.file
    content = weights.read_bytes()
    try:
        spans = [
            (span.start, span.end) for span in tensor_spans(content) if span.data_type == FLOAT32
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
    sections = [
        lzma.compress(_outside(content, spans), preset=6),
        lzma.compress(planes[:, 3].tobytes(), preset=6),
        planes[:, 2].tobytes(),
    ]
    header = json.dumps(
        {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "spans": spans,
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
        content = _join(packed.read_bytes())
    except (struct.error, ValueError, KeyError, TypeError, IndexError, lzma.LZMAError) as error:
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


def _join(packed: bytes) -> bytes:
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
    frame, high, low = lzma.decompress(sections[0]), lzma.decompress(sections[1]), sections[2]
    planes: npt.NDArray[np.uint8] = np.zeros((len(low), 4), dtype=np.uint8)
    planes[:, 2] = np.frombuffer(low, dtype=np.uint8)
    planes[:, 3] = np.frombuffer(high, dtype=np.uint8)
    values = planes.tobytes()
    pieces, frame_at, value_at = [], 0, 0
    outside = 0
    for start, end in header["spans"]:
        pieces += [
            frame[frame_at : frame_at + start - outside],
            values[value_at : value_at + end - start],
        ]
        frame_at += start - outside
        value_at += end - start
        outside = end
    return b"".join([*pieces, frame[frame_at:]])


def _outside(content: bytes, spans: list[tuple[int, int]]) -> bytes:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(content)]
    return b"".join(content[start:end] for start, end in zip(starts, ends, strict=True))


def _replace(target: Path, content: bytes) -> None:
    """Whole or not at all, also when two processes unpack at once."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
