"""`python -m services.indexer.intake.files.paddle_ocr`: recognises the text of a page by the models
of PaddleOCR.

It reads an image on standard input and writes the text to standard output, as any program of
XUNWEN_INDEXER_OCR_COMMAND does. The models are part of the package `rapidocr` (extra `ocr`) and run
on ONNX Runtime; nothing is downloaded.
"""

import os
import resource
import sys
from typing import Any

from services.indexer.intake.files.limits import limit
from services.indexer.intake.files.reading_order import Piece, lines_of

_MEMORY_BYTES = 4 << 30
"""Limit of the memory that the program may write to; a page takes about 1.2 GB."""
_MOST_THREADS = 4
"""Most threads of each library; more make no page faster, and each takes memory."""


def main() -> int:
    """Recognises one page."""
    limit(resource.RLIMIT_DATA, _MEMORY_BYTES)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # It takes memory for each, and nothing here uses it.
    # Output that a library prints must not get into the text.
    text = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    image = sys.stdin.buffer.read()
    for line in lines_of(_recognised(image)):
        text.write(f"{line}\n")
    text.close()
    return 0


def _recognised(image: bytes) -> list[Piece]:
    """The lines of the image, or the pieces of a line that stand far apart."""
    import cv2
    from rapidocr import RapidOCR

    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    cv2.setNumThreads(threads)
    settings = {
        "Global.log_level": "error",
        "Global.use_cls": False,  # It looks for lines that are upside down.
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
    }
    found: Any = RapidOCR(params=settings)(image)
    if found.boxes is None:
        return []
    return [_piece(text, box) for text, box in zip(found.txts, found.boxes, strict=True)]


def _piece(text: str, corners: Any) -> Piece:
    across, down = corners[:, 0], corners[:, 1]
    return Piece(
        text, float(across.min()), float(down.min()), float(across.max()), float(down.max())
    )


if __name__ == "__main__":
    sys.exit(main())
