"""Reads the weights of a directory and reports which of them a network took.

Every body here is an `ErnieModel`, so weights are named as its parameters are: checkpoints put a
prefix before them (`ernie.`, `ptm.`), and weights of other names belong to a head.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from services.common.engine.predictor import FloatArray
from training.failures import ModelUnknown

log = logging.getLogger(__name__)

State = dict[str, FloatArray]

BODY_STATE = "model_state.pdparams"
_WORDS = "embeddings.word_embeddings.weight"
_BODY_PARTS = ("embeddings.", "encoder.", "pooler.")
_POINTER = b"version https://git-lfs"
"""Beginning of the file that a clone without Git LFS has in the place of a large one."""
_NAMED = 6
"""Number of names that a message lists before it only counts."""


@dataclass(frozen=True, slots=True)
class SavedWeights:
    """The weights of a directory, divided into those of the body and all others."""

    body: State
    """Named as in `ErnieModel`."""
    others: State
    """All other weights, such as a head's, under the names that they were saved with."""


def read_pdparams(path: Path) -> State:
    """The arrays of a Paddle parameter file as float32. Raises ModelUnknown."""
    if not path.is_file():
        raise ModelUnknown(f"{path} is missing")
    with reading(path):
        loaded: Mapping[str, Any] = paddle.load(str(path), return_numpy=True)
        return {
            name: float32(value) for name, value in loaded.items() if isinstance(value, np.ndarray)
        }


def float32(value: NDArray[Any]) -> FloatArray:
    """An array of weights as float32. NumPy has no bfloat16, so readers of files give its bits as
    uint16."""
    if value.dtype == np.uint16:
        return (value.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(value, dtype=np.float32)


@contextmanager
def reading(path: Path) -> Iterator[Path]:
    """Raises ModelUnknown, which says what to do, for any error by which a file of weights shows
    that it is damaged; each library has errors of its own."""
    try:
        yield path
    except Exception as error:
        with path.open("rb") as stream:
            pointer = stream.read(len(_POINTER)) == _POINTER
        remedy = (
            "it is a pointer of Git LFS: `git lfs pull` in its repository fetches the file"
            if pointer
            else f"it has {path.stat().st_size:,} bytes: fetch it anew"
        )
        raise ModelUnknown(f"{path} cannot be read as weights; {remedy}") from error


def split_state(state: State, source: str | Path) -> SavedWeights:
    """Divides weights into a body's and all others, whatever prefix they have. Raises
    ModelUnknown."""
    prefixes = {name.removesuffix(_WORDS) for name in state if name.endswith(_WORDS)}
    if len(prefixes) != 1:
        raise ModelUnknown(
            f"{source} holds no ERNIE body: {'several weights are' if prefixes else 'none is'} "
            f"called …{_WORDS}; it has {listed(state)}"
        )
    prefix = prefixes.pop()
    starts = tuple(prefix + part for part in _BODY_PARTS)
    return SavedWeights(
        {
            name.removeprefix(prefix): value
            for name, value in state.items()
            if name.startswith(starts)
        },
        {name: value for name, value in state.items() if not name.startswith(starts)},
    )


def fill(
    network: nn.Layer,
    state: State,
    source: str | Path,
    *,
    optional: tuple[str, ...] = (),
    ignored: tuple[str, ...] = (),
) -> None:
    """Puts weights into a network by name, and logs which were taken, missing and not used.

    Weights of the network whose name begins with one of `optional` may be missing and stay as they
    are; those of `ignored` are not looked at. Raises ModelUnknown if another one is missing or has
    another shape: a network must not continue with random numbers in place of trained ones.
    """
    own = {
        name: value for name, value in network.state_dict().items() if not name.startswith(ignored)
    }
    taken = {name: value for name, value in state.items() if name in own}
    misshapen = [
        f"{name} is {list(value.shape)} and not {own[name].shape}"
        for name, value in taken.items()
        if list(value.shape) != own[name].shape
    ]
    if misshapen:
        raise ModelUnknown(f"{source} does not fit its configuration: {listed(misshapen)}")
    missing = [name for name in own if name not in state]
    fatal = [name for name in missing if not name.startswith(optional)]
    if fatal:
        raise ModelUnknown(
            f"{source} lacks {len(fatal)} of {len(own)} weights: {listed(fatal)}; it has "
            f"{listed(state)}"
        )
    for name, value in taken.items():
        own[name].set_value(value)
    log.info(
        "%s: %d weights taken; missing and made anew: %s; left over: %s",
        source,
        len(taken),
        listed(missing),
        listed(name for name in state if name not in own),
    )


def listed(names: Iterable[str]) -> str:
    """The first few names and the number of the others, for a message."""
    every = [*names]
    more = len(every) - _NAMED
    return (
        ", ".join(every[:_NAMED]) + (f" and {more} more" if more > 0 else "") if every else "none"
    )
