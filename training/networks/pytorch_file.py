"""Reads files of weights as PyTorch writes them, without PyTorch: a zip with a pickle, which
describes the arrays, and the bytes of each array.

A pickle can call any function of Python, so this one may name nothing but arrays and dictionaries.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from training.failures import ModelUnknown
from training.networks.weights import State, float32, reading

Values = NDArray[Any]

_BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""Beginning of the files of PyTorch before 1.6, which are no zip."""
_STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": np.uint16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read_pytorch(path: Path) -> State:
    """The arrays of a file as float32. Raises ModelUnknown."""
    with path.open("rb") as stream:
        old = stream.read(len(_BEFORE_ZIP)) == _BEFORE_ZIP
    if old:
        raise ModelUnknown(
            f"{path} has the form of PyTorch before 1.6; load it with a present PyTorch and save it"
            " again, best as model.safetensors"
        )
    with reading(path), ZipFile(path) as archive:
        described = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        loaded = _Arrays(archive, described).load()
        return {
            name: float32(value) for name, value in loaded.items() if isinstance(value, np.ndarray)
        }


class _Arrays(pickle.Unpickler):
    """Loads the dictionary of a file, whose entry `described` is the pickle."""

    def __init__(self, archive: ZipFile, described: str) -> None:
        super().__init__(io.BytesIO(archive.read(described)))
        self._archive = archive
        self._folder = described.removesuffix("data.pkl") + "data/"
        self._read: dict[str, Values] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) in _NAMED:
            return _NAMED[module, name]
        raise pickle.UnpicklingError(f"{module}.{name} is neither an array nor a dictionary")

    def persistent_load(self, saved: Any) -> Values:
        """The values of a storage, which several arrays may share."""
        _, kind, key, _, count = saved
        if key not in self._read:
            content = self._archive.read(f"{self._folder}{key}")
            self._read[key] = np.frombuffer(content, kind, count)
        return self._read[key]


def _array(
    storage: Values, offset: int, shape: Sequence[int], strides: Sequence[int], *_others: object
) -> Values:
    """The array that takes its numbers from a storage, `strides` numbers apart on each axis."""
    last = sum((count - 1) * step for count, step in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or (0 not in shape and offset + last >= len(storage)):
        raise pickle.UnpicklingError("an array reaches beyond its storage")
    apart = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], tuple(shape), apart).copy()


def _parameter(values: Values, *_others: object) -> Values:
    return values


_NAMED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _array,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
