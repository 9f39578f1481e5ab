"""The program of the sandbox with readers that misbehave, each in its own way."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.common.wire.input_formats import Charset
from services.indexer.intake.files import child


def hang(path: Path, _: Charset | None) -> Iterator[Any]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
    yield path.name


def spin(path: Path, _: Charset | None) -> Iterator[Any]:
    while True:
        ctypes.c_int(1)
    yield path.name


def eat(path: Path, _: Charset | None) -> Iterator[Any]:
    held = []
    while True:
        held.append(bytearray(1 << 24))
    yield path.name


def crash(path: Path, _: Charset | None) -> Iterator[Any]:
    ctypes.string_at(0)
    yield path.name


def abort(path: Path, _: Charset | None) -> Iterator[Any]:
    os.abort()
    yield path.name


def leave(path: Path, _: Charset | None) -> Iterator[Any]:
    os._exit(3)
    yield path.name


def fail(path: Path, _: Charset | None) -> Iterator[Any]:
    raise RecursionError("a reader's own error, with a path such as /etc")
    yield path.name


def flood(path: Path, _: Charset | None) -> Iterator[Any]:
    yield "x" * (80 << 20)


def chat(path: Path, _: Charset | None) -> Iterator[Any]:
    print("a library that prints", flush=True)
    os.write(1, b"and one that writes\n")
    yield path.read_text()


def halfway(path: Path, _: Charset | None) -> Iterator[Any]:
    yield path.read_text()
    os.abort()


def pid(path: Path, _: Charset | None) -> Iterator[Any]:
    yield os.getpid()


if __name__ == "__main__":
    child.reader = lambda kind, ocr: globals()[kind]
    sys.exit(child.main())
