"""The hook for recognising the text of scanned pages: a small real program in its place, and the
one that is shipped."""

import os
import re
import subprocess
import sys
import time
import zlib
from difflib import SequenceMatcher
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.wire.input_formats import InputFormat
from services.indexer.intake.files.extracted import Extracted, Unreadable
from services.indexer.intake.files.ocr import PADDLEOCR, PAGE_SECONDS, fault
from services.indexer.intake.files.reading_order import Piece, lines_of
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.work.lease import WorkerStopping
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
seconds = resource.getrlimit(resource.RLIMIT_CPU)[0]
text = f"第一行：宽{width}像素，高{height}像素。\\n不限内存：{free}，限时{seconds}秒。\\n"
sys.stdout.buffer.write(text.encode())
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
    assert f"不限内存：True，限时{PAGE_SECONDS}秒。" in pages[2]


def test_a_scanned_file_is_indexed_with_the_program_and_rejected_without(tmp_path: Path) -> None:
    files = {"a.pdf": papers.scanned_pdf(1), "b.pdf": papers.paper_pdf()}
    case = Case(tmp_path / "job", papers.zipped(files), format=InputFormat.ZIP, charset=None)
    plan = case.planner(program(tmp_path, READS)).plan()
    assert [one.document.id for one in case.documents(plan)] == ["a.pdf", "b.pdf"]
    plan = case.planner().plan()
    assert [one.document.id for one in case.documents(plan)] == ["b.pdf"]
    [rejection] = case.rejected()
    assert rejection.reason.startswith("is scanned: its only page is an image without text")


def test_a_worker_that_is_asked_to_end_waits_for_no_page(tmp_path: Path) -> None:
    """A page may take ten minutes, and Kubernetes kills a worker after 90 seconds."""
    case = Case(tmp_path / "job", papers.scanned_pdf(2), format=InputFormat.PDF)
    asked = time.monotonic() + 3

    def check() -> None:
        if time.monotonic() > asked:
            raise WorkerStopping

    planner = case.planner(program(tmp_path, "import time; time.sleep(30)"), check)
    with pytest.raises(WorkerStopping):
        planner.plan()
    assert time.monotonic() - asked < 10


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


def test_paddleocr_reads_a_scanned_paper(tmp_path: Path) -> None:
    printed = papers.pdf(
        [
            "\n".join(
                [
                    papers.TITLE,
                    "张三，李四",
                    f"摘要：{papers.ABSTRACT}",
                    f"关键词：{'；'.join(papers.KEYWORDS)}",
                ]
            )
        ]
    )
    [page] = pdfium.PdfDocument(printed)
    if min(page.render(grayscale=True).buffer) > 128:
        pytest.skip("there is no font with Chinese characters here")
    found = read(PADDLEOCR, papers.scan_of(printed), tmp_path)
    assert found.fields["pages_recognised"] == 1
    assert found.title == papers.TITLE
    assert found.fields["keywords"] == papers.KEYWORDS
    wanted, got = papers.ABSTRACT, found.abstract
    same = sum(block.size for block in SequenceMatcher(None, wanted, got).get_matching_blocks())
    assert same / len(wanted) > 0.97, got


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    module = "services.indexer.intake.files.paddle_ocr"
    done = subprocess.run([sys.executable, "-m", module], input=b"no image", capture_output=True)
    assert done.returncode == 1
    assert done.stdout == b""


def test_a_worker_does_not_start_with_a_program_that_cannot_be_started() -> None:
    env = {**os.environ, "XUNWEN_INDEXER_OCR_COMMAND": "no-such-ocr --fast"}
    done = subprocess.run(
        [sys.executable, "-m", "services.indexer.worker"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "worker: XUNWEN_INDEXER_OCR_COMMAND: there is no program 'no-such-ocr'\n"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault(PADDLEOCR) == ""
    monkeypatch.setitem(sys.modules, "rapidocr", None)  # as where it is not installed
    assert fault(PADDLEOCR) == "PaddleOCR needs an extra: pip install 'xunwen[ocr]'"


def piece(text: str, left: int, top: int, right: int) -> Piece:
    return Piece(text, left, top, right, top + 10)


def test_columns_are_read_one_after_the_other() -> None:
    pieces = [piece("题目", 20, 0, 180)]
    for number in range(4):
        pieces += [
            piece(f"右{number}", 105, 22 + 20 * number, 200),
            piece(f"左{number}", 0, 20 + 20 * number, 95),
        ]
    pieces.append(piece("宽表", 10, 100, 190))
    pieces += [piece("右末", 105, 120, 150), piece("左末", 0, 121, 95)]
    wanted = "题目 左0 左1 左2 左3 右0 右1 右2 右3 宽表 左末 右末"
    assert lines_of(pieces) == wanted.split()


def test_pieces_of_a_line_are_joined() -> None:
    pieces = [piece("乙", 48, 3, 150), piece("甲", 0, 4, 50), piece("丙", 0, 20, 150)]
    assert lines_of(pieces) == ["甲 乙", "丙"]
    assert lines_of([]) == []


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 300), st.integers(1, 200)), max_size=30)
)
def test_every_piece_is_read_once(boxes: list[tuple[int, int, int]]) -> None:
    pieces = [
        piece(f"w{number}", left, top, left + width)
        for number, (left, top, width) in enumerate(boxes)
    ]
    read = re.findall(r"w\d+", " ".join(lines_of(pieces)))
    assert sorted(read) == sorted(one.text for one in pieces)
