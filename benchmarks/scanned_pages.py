"""How well and how fast programs recognise the text of scanned pages.

    python -m benchmarks.scanned_pages paddleocr "tesseract stdin stdout -l chi_sim"

Pages are drawn from the abstracts of the sample, so their text is known: in one column of large and
of small letters, in two columns, and in two columns as a worn copy (turned by 0.6 degrees, blurred,
grey, with noise). Each program gets each page as the indexer gives it. Told are the characters
found in their order and found anywhere, the seconds by the clock and of computing, and the memory.
"""

import argparse
import io
import json
import re
import resource
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from services.indexer.intake.files.ocr import Ocr

_DATA = Path("data/literature_papers.jsonl")
_FONT = "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc"
_SIMPLIFIED = 2
"""Place of the simplified Chinese face in the font's file."""
_SIZE = (1654, 2339)
"""A4 at 200 dots an inch."""
_EDGE = 150
_WIDTH = 1354
_GAP = 60
"""Dots between two columns."""
_PAGES = {
    "one column, 42 dots": (42, 1, False),
    "one column, 29 dots": (29, 1, False),
    "two columns, 29 dots": (29, 2, False),
    "two columns, 29 dots, worn": (29, 2, True),
}
"""Height of letters in dots, number of columns, and whether the page is worn."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="+", help="values of XUNWEN_INDEXER_OCR_COMMAND")
    parser.add_argument("--font", default=_FONT, help="file of a Chinese font")
    options = parser.parse_args()
    print("| program | page | characters | in order | found | clock | computing | memory |")
    print("|---|---|---|---|---|---|---|---|")
    for place, (name, (size, columns, worn)) in enumerate(_PAGES.items(), start=1):
        image, text = drawn(place, size, columns, options.font)
        page = io.BytesIO()
        (worn_copy(image, place) if worn else image).save(page, "PNG")
        for program in options.programs:
            # A process of its own, so that the memory told is not that of the programs before.
            with ProcessPoolExecutor(1) as measuring:
                cells = measuring.submit(measured, program, page.getvalue(), text).result()
            print(f"| {program.split()[0]} | {name} |{cells}", flush=True)


def measured(program: str, page: bytes, text: str) -> str:
    """The cells of a row for one page and a program, the first one that this process starts."""
    started = time.monotonic()
    got = bare(Ocr(program, lambda _: None).text(page))
    clock, used = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    computing = used.ru_utime + used.ru_stime
    wanted = bare(text)
    ordered = common(wanted, got) / len(wanted)
    found = sum((Counter(got) & Counter(wanted)).values()) / len(wanted)
    cells = (f"{len(wanted):,}", f"{ordered:.1%}", f"{found:.1%}", f"{clock:.1f} s")
    return f" {' | '.join(cells)} | {computing:.1f} s | {used.ru_maxrss >> 10:,} MB |"


def drawn(place: int, size: int, columns: int, font: str) -> tuple[Image.Image, str]:
    """A page and its text: a title, an abstract below it, and columns of other abstracts."""
    papers = [paper for paper in _papers() if len(paper["text"]) > 150][place * 7 :]
    image = Image.new("L", _SIZE, 255)
    draw = ImageDraw.Draw(image)
    face = ImageFont.truetype(font, size, index=_SIMPLIFIED)
    large = ImageFont.truetype(font, size * 3 // 2, index=_SIMPLIFIED)
    lines, y = [], float(_EDGE)
    for text, used in ((papers[0]["title"], large), (f"摘要：{papers[0]['text']}", face)):
        for line in broken(text, used, _WIDTH):
            draw.text((_EDGE, y), line, font=used, fill=0)
            lines.append(line)
            y += size * (2 if used is large else 1.5)
        y += 40
    width = (_WIDTH - _GAP * (columns - 1)) / columns
    rest = iter(broken("".join(paper["text"] for paper in papers[1:12]), face, width))
    for column in range(columns):
        at = y
        while at < _SIZE[1] - 200 and (line := next(rest, "")):
            draw.text((_EDGE + column * (width + _GAP), at), line, font=face, fill=0)
            lines.append(line)
            at += size * 1.5
    return image, "\n".join(lines)


def worn_copy(image: Image.Image, seed: int) -> Image.Image:
    turned = image.rotate(0.6, fillcolor=255, resample=Image.Resampling.BICUBIC)
    blurred = np.asarray(turned.filter(ImageFilter.GaussianBlur(1.0)), dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, 12, blurred.shape)
    return Image.fromarray((blurred * 0.75 + 45 + noise).clip(0, 255).astype(np.uint8))


def broken(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The lines of a text that are at most `width` dots wide."""
    lines, line = [], ""
    for char in text:
        if line and face.getlength(line + char) > width:
            lines.append(line)
            line = ""
        line += char
    return [*lines, line]


def bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def common(wanted: str, got: str) -> int:
    """Length of the longest common subsequence, row by row of its table."""
    codes = np.array([ord(char) for char in got] or [0])
    row = np.zeros(len(codes) + 1, dtype=np.int32)
    for char in wanted:
        longer = np.where(codes == ord(char), row[:-1] + 1, row[1:])
        row[1:] = np.maximum.accumulate(longer)
    return int(row[-1])


def _papers() -> Iterator[dict[str, str]]:
    for line in _DATA.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


if __name__ == "__main__":
    main()
