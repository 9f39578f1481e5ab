"""Recognises the text of scanned pages (OCR) by a program that the operator names.

The program reads the image of a page, a PNG in shades of grey, on standard input and writes its
text in UTF-8 to standard output. It runs beside the reader of the file, with the operator's limit
of memory and not the reader's, since recognition needs models. One such program is part of the
indexer; `paddleocr` names it.
"""

import resource
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from services.indexer.intake.files.limits import lift, limit

PADDLEOCR = "paddleocr"
"""Name of the program that recognises text by the models of PaddleOCR."""
_PADDLEOCR_MODULE = "services.indexer.intake.files.paddle_ocr"
PAGE_SECONDS = 120
"""Seconds of computing that the program may take for a page."""
PAGE_CLOCK_SECONDS = 5 * PAGE_SECONDS
"""Seconds by the clock that the program may take for a page, beside other work."""
MOST_PAGES = 1_000
"""Most pages of a file that are recognised."""
_MOST_BYTES = 1 << 20
"""Longest text of a page in bytes."""


class NotRecognised(Exception):
    """The program failed on a page. The message is the reason for the user, without a subject."""


@dataclass(slots=True)
class Ocr:
    """The program, run once for each page."""

    command: str
    """The command line as a shell would split it; no shell runs."""
    begins: Callable[[int], None]
    """Called before each page with the seconds that it may take."""

    def text(self, image: bytes) -> str:
        """The text of the image of a page. Raises NotRecognised."""
        self.begins(PAGE_CLOCK_SECONDS)
        try:
            done = subprocess.run(  # noqa: S603 - the operator named the program
                arguments(self.command),
                input=image,
                stdout=subprocess.PIPE,
                timeout=PAGE_CLOCK_SECONDS,
                check=True,
                preexec_fn=_limited,
            )
        except subprocess.TimeoutExpired:
            raise NotRecognised(
                f"takes longer than {PAGE_CLOCK_SECONDS} seconds for a page"
            ) from None
        except subprocess.CalledProcessError as error:
            if error.returncode == -signal.SIGXCPU:
                reason = f"takes longer than {PAGE_SECONDS} seconds of computing for a page"
            else:
                reason = f"fails with the exit status {error.returncode}"
            raise NotRecognised(reason) from None
        except (OSError, ValueError):
            raise NotRecognised("cannot be started") from None
        return done.stdout[:_MOST_BYTES].decode("utf-8", "replace")


def arguments(command: str) -> list[str]:
    """The program with its arguments. Raises ValueError for quotation marks without an end."""
    if command == PADDLEOCR:
        return [sys.executable, "-m", _PADDLEOCR_MODULE]
    return shlex.split(command)


def fault(command: str) -> str:
    """The reason why the program cannot be started on this machine; empty if it can."""
    if command == PADDLEOCR:
        missing = find_spec("rapidocr") is None
        return "PaddleOCR needs an extra: pip install 'xunwen[ocr]'" if missing else ""
    try:
        words = arguments(command)
    except ValueError:
        return "the command has a quotation mark without an end"
    if not words or shutil.which(words[0]) is None:
        return f"there is no program {(words or [command])[0]!r}"
    return ""


def png(width: int, height: int, stride: int, grey: bytes) -> bytes:
    """The PNG of an image in shades of grey, whose lines lie `stride` bytes apart."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(
        b"\0" + grey[start : start + width] for start in range(0, stride * height, stride)
    )
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _limited() -> None:
    """Lifts the limits that the reader of files has set for itself, and limits the computing."""
    lift(resource.RLIMIT_AS)
    lift(resource.RLIMIT_FSIZE)
    limit(resource.RLIMIT_CPU, PAGE_SECONDS)
