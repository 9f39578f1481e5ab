"""Sequences of examples that stay in their files; a line is read when its example is asked for."""

import hashlib
import logging
from array import array
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, overload
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from training.data.readers import LineReport, Malformed, missing, read_lines, text_of_line
from training.failures import DataInvalid

log = logging.getLogger(__name__)

E = TypeVar("E")
K = TypeVar("K", bound=Hashable)

_FILE_BITS = 48
"""Bits of a place that hold the byte at which the line begins; the bits above hold the number of
the file."""


def every(example: object) -> bool:
    """A choice of examples that keeps every example."""
    del example
    return True


@dataclass(frozen=True, slots=True)
class LineFile(Generic[E]):
    """A text file that holds one example in each line."""

    path: Path
    parse: Callable[[str], E]
    """Function that makes the example of a line; it raises Malformed."""
    wanted: Callable[[E], bool] = every
    """Function that says whether an example is used at all."""

    def read(self) -> list[E]:
        """All wanted examples, in memory. Raises DataInvalid."""
        read, _ = read_lines(self.path, self.parse)
        wanted = [example for example in read if self.wanted(example)]
        self.say_left_out(len(read) - len(wanted))
        return wanted

    def say_left_out(self, count: int) -> None:
        """Logs how many examples were not wanted, if there were any."""
        if count:
            log.info(
                "%s: %d examples were left out; they are held out for evaluation",
                self.path.name,
                count,
            )


class _Files(Generic[E]):
    """The open files that a sequence and its selections share."""

    def __init__(self, files: Sequence[LineFile[E]]) -> None:
        self._files = files
        self._streams = [file.path.open("rb") for file in files]
        for stream in self._streams:
            finalize(self, stream.close)

    def example(self, place: int) -> E:
        number = place >> _FILE_BITS
        file, stream = self._files[number], self._streams[number]
        offset = place & ((1 << _FILE_BITS) - 1)
        stream.seek(offset)
        try:
            return file.parse(text_of_line(stream.readline(), first=offset == 0))
        except (Malformed, UnicodeDecodeError) as error:
            raise DataInvalid(
                f"{file.path} has changed while its lines were being read; start the run again"
            ) from error


class Lines(Sequence[E]):
    """Examples that are read from their lines. Each takes 8 bytes of memory, however long it is."""

    def __init__(self, files: _Files[E], places: NDArray[np.uint64]) -> None:
        self._files, self._places = files, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> "list[E]": ...

    def __getitem__(self, index: int | slice) -> "E | list[E]":
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        return self._files.example(int(self._places[index]))

    def some(self, rows: NDArray[np.int64]) -> "Lines[E]":
        """The examples at these indices, in the order of the indices."""
        return Lines(self._files, self._places[rows])


class LinesById(Mapping[str, E]):
    """Examples of lines by id; of several with one id the last counts. Each takes 16 bytes of
    memory."""

    def __init__(self, files: Sequence[LineFile[tuple[str, E]]]) -> None:
        """Reads the files through once. Raises DataInvalid."""
        hashes, places = array("Q"), array("Q")
        for place, (key, _) in _placed(files):
            hashes.append(_hash(key))
            places.append(place)
        newest = np.frombuffer(hashes, np.uint64)[::-1]
        self._hashes, last = np.unique(newest, return_index=True)
        self._lines = Lines(_Files(files), np.frombuffer(places, np.uint64)[::-1][last])

    def __getitem__(self, key: str) -> E:
        at = int(np.searchsorted(self._hashes, np.uint64(_hash(key))))
        if at < len(self._lines):
            found, example = self._lines[at]
            if found == key:
                return example
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._lines)

    def __len__(self) -> int:
        return len(self._lines)


class Parts(Sequence[E]):
    """Several sequences joined into one; each is a group whose examples may share a batch."""

    def __init__(self, parts: Sequence[Sequence[E]]) -> None:
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> "list[E]": ...

    def __getitem__(self, index: int | slice) -> "E | list[E]":
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        place = range(len(self))[index]
        part = int(np.searchsorted(self._ends, place, side="right"))
        return self.parts[part][place - int(self._ends[part])]


def lines_by_kind(
    files: Sequence[LineFile[E]],
    kind: Callable[[E], K | None],
    name: Callable[[E], str] | None = None,
) -> dict[K, Lines[E]]:
    """The examples of each kind, without those of kind None; with `name`, the first of each name.

    The files are read through once. Meanwhile 8 bytes of memory are held for each line, 16 with
    `name`. Raises DataInvalid.
    """
    places: dict[K, array[int]] = {}
    hashes: dict[K, array[int]] = {}
    for place, example in _placed(files):
        found = kind(example)
        if found is not None:
            places.setdefault(found, array("Q")).append(place)
            if name is not None:
                hashes.setdefault(found, array("Q")).append(_hash(name(example)))
    opened = _Files(files)
    lines: dict[K, Lines[E]] = {}
    for found, kept in places.items():
        rows = np.frombuffer(kept, np.uint64)
        if name is not None:
            _, first = np.unique(np.frombuffer(hashes[found], np.uint64), return_index=True)
            rows = rows[np.sort(first)]
        lines[found] = Lines(opened, rows)
    return lines


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _placed(files: Sequence[LineFile[E]]) -> Iterator[tuple[int, E]]:
    """Yields the wanted examples, each with its place. Raises DataInvalid."""
    for number, file in enumerate(files):
        if not file.path.is_file():
            raise DataInvalid(missing(file.path))
        report, unwanted = LineReport(file.path), 0
        with file.path.open("rb") as stream:
            offset = 0
            for line, raw in enumerate(stream, start=1):
                try:
                    text = text_of_line(raw, first=line == 1)
                    if text.strip():
                        example = file.parse(text)
                        report.read += 1
                        if file.wanted(example):
                            yield number << _FILE_BITS | offset, example
                        else:
                            unwanted += 1
                except (Malformed, UnicodeDecodeError) as error:
                    reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                    report.refuse(line, reason)
                offset += len(raw)
        report.say()
        file.say_left_out(unwanted)
