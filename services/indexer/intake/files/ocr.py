"""Recognises the text of scanned pages (OCR) by a program that the operator names.

The program reads the image of a page, a PNG in shades of grey, on standard input and writes its
text in UTF-8 to standard output. It runs beside the reader of the file, with the operator's limit
of memory and not the reader's, since recognition needs models.
"""

import resource
import shlex
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass

PAGE_SECONDS = 120
"""Seconds by the clock that the program may take for a page."""
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
        self.begins(PAGE_SECONDS)
        try:
            done = subprocess.run(  # noqa: S603 - the operator named the program
                shlex.split(self.command),
                input=image,
                stdout=subprocess.PIPE,
                timeout=PAGE_SECONDS,
                check=True,
                preexec_fn=_unlimited,
            )
        except subprocess.TimeoutExpired:
            raise NotRecognised(f"takes longer than {PAGE_SECONDS} seconds for a page") from None
        except subprocess.CalledProcessError as error:
            raise NotRecognised(f"fails with the exit status {error.returncode}") from None
        except (OSError, ValueError):
            raise NotRecognised("cannot be started") from None
        return done.stdout[:_MOST_BYTES].decode("utf-8", "replace")


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


def _unlimited() -> None:
    """Lifts the limits that the reader of files has set for itself."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (hard, hard))
