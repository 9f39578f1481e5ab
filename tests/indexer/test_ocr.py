"""The hook for recognising the text of scanned pages: a small real program in its place."""

import sys
import zlib
from pathlib import Path

import pytest

from services.common.wire.input_formats import InputFormat
from services.indexer.intake.files.extracted import Extracted, Unreadable
from services.indexer.intake.files.sandbox import Sandbox
from tests.indexer import papers
from tests.indexer.planning import Case

READS = """
import resource, struct, sys, zlib
image = sys.stdin.buffer.read()
assert image.startswith(b"\\x89PNG\\r\\n\\x1a\\n")
width, height, depth, colour = struct.unpack(">IIBB", image[16:26])
length = struct.unpack(">I", image[33:37])[0]
lines = zlib.decompress(image[41:41 + length])
assert (depth, colour, len(lines)) == (8, 0, (width + 1) * height)
assert 180 < lines[(width + 1) * (height // 2) + width // 2] < 220, "the grey of the scan"
free = resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
sys.stdout.buffer.write(f"第一行：宽{width}像素，高{height}像素。\\n不限内存：{free}\\n".encode())
"""


def program(folder: Path, code: str) -> str:
    file = folder / "ocr.py"
    file.write_text(code, encoding="utf-8")
    return f"'{sys.executable}' '{file}'"


def read(command: str, content: bytes, folder: Path) -> Extracted:
    file = folder / "in.pdf"
    file.write_bytes(content)
    with Sandbox(ocr=command) as sandbox:
        [part] = sandbox.read(InputFormat.PDF, file, None)
    return Extracted(**part)


def test_scanned_pages_are_read_by_the_program(tmp_path: Path) -> None:
    found = read(program(tmp_path, READS), papers.scanned_pdf(3), tmp_path)
    assert found.fields == {"page_count": 3, "pages_recognised": 3}
    pages = found.body.split("\f")
    assert len(pages) == 3
    assert "第一行：宽1654像素，高2339像素。" in pages[2], "an A4 page at 200 dots an inch"


def test_a_scanned_file_is_indexed_with_the_program_and_rejected_without(tmp_path: Path) -> None:
    files = {"a.pdf": papers.scanned_pdf(1), "b.pdf": papers.paper_pdf()}
    case = Case(tmp_path / "job", papers.zipped(files), format=InputFormat.ZIP, charset=None)
    plan = case.planner(program(tmp_path, READS)).plan()
    assert [one.document.id for one in case.documents(plan)] == ["a.pdf", "b.pdf"]
    plan = case.planner().plan()
    assert [one.document.id for one in case.documents(plan)] == ["b.pdf"]
    [rejection] = case.rejected()
    assert rejection.reason.startswith("is scanned: its only page is an image without text")


def test_pages_with_text_are_left_to_the_reader(tmp_path: Path) -> None:
    found = read("false", papers.paper_pdf(), tmp_path)
    assert "pages_recognised" not in found.fields
    assert found.title == papers.TITLE


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.stdin.buffer.read(); sys.exit(3)", "fails with the exit status 3"),
        ("import sys; sys.stdin.buffer.read(); print(1)", "none was recognised"),
        ("raise SystemExit(4)", "fails with the exit status 4"),
    ],
)
def test_a_program_that_finds_nothing_is_told(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(program(tmp_path, code), papers.scanned_pdf(2), tmp_path)


@pytest.mark.parametrize("command", ["/no/such/program", "'", str(Path(__file__).parent)])
def test_a_program_that_does_not_start_is_told_without_its_path(
    tmp_path: Path, command: str
) -> None:
    with pytest.raises(Unreadable, match=r"recognises text cannot be started \(page 1\)"):
        read(command, papers.scanned_pdf(1), tmp_path)


def test_a_page_is_a_png_whatever_the_stride() -> None:
    from services.indexer.intake.files.ocr import png

    image = png(3, 2, 4, bytes([1, 2, 3, 99, 4, 5, 6, 99]))
    start = image.index(b"IDAT") + 4
    assert zlib.decompress(image[start : image.index(b"IEND") - 8]) == b"\0\1\2\3\0\4\5\6"
