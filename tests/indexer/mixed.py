"""A folder as people have it: papers, notes, tables and citations, whole and broken ones."""

import io
import json
import random
import zipfile
from collections.abc import Callable

from tests.indexer import papers
from tests.indexer.papers import ABSTRACT, TITLE

WORDS = [
    *("冻土", "路基", "水稻", "育种", "流量", "降雨", "遥感", "图像"),
    *("检索", "语义", "排序", "卫星", "姿态", "控制", "湿地", "水鸟"),
]
Maker = Callable[[random.Random], tuple[str, bytes]]


def _sentences(dice: random.Random, count: int) -> str:
    return "".join(f"{'与'.join(dice.sample(WORDS, 4))}的研究取得了进展。" for _ in range(count))


def _pages(dice: random.Random) -> list[str]:
    count = dice.randint(1, 5)
    return [f"{n + 1} {dice.choice(WORDS)}\n{_sentences(dice, 20)}" for n in range(count)]


def _markdown(dice: random.Random) -> bytes:
    return f"# {dice.choice(WORDS)}\n\n{_sentences(dice, 5)}\n\n## 方法\n\n内容。\n".encode()


def _html(dice: random.Random) -> bytes:
    charset = dice.choice(["utf-8", "gb18030", "big5"])
    text = "水文與氣象" if charset == "big5" else _sentences(dice, 5)
    page = f'<meta charset="{charset}"><title>站</title><h1>{TITLE}</h1><p>{text}</p>'
    return page.encode(charset, "ignore")


def _text(dice: random.Random) -> bytes:
    return f"{TITLE}\n\n{_sentences(dice, 8)}\n".encode(dice.choice(["utf-8", "gb18030", "utf-16"]))


def _rows(dice: random.Random) -> list[list[object]]:
    mark = f"{dice.randrange(10**9):09d}"
    return [
        ["编号", "题名", "年份"],
        *([f"{mark}-{n}", _sentences(dice, 1), 2000 + n] for n in range(5)),
    ]


def _csv(dice: random.Random) -> bytes:
    lines = "\n".join(",".join(map(str, row)) for row in _rows(dice))
    return lines.encode(dice.choice(["utf-8-sig", "gb18030"]))


def _array(dice: random.Random) -> bytes:
    names, *rows = _rows(dice)
    return json.dumps([dict(zip(map(str, names), row, strict=True)) for row in rows]).encode()


def _ris(dice: random.Random) -> bytes:
    return (
        f"TY  - JOUR\nID  - r{dice.randrange(10**9)}\nTI  - {TITLE}\nAB  - {ABSTRACT}\nER  - \n"
    ).encode()


def _bomb(_: random.Random) -> bytes:
    """A Word file of 2 MB whose text has 2 GB."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(papers.paper_docx())) as paper,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as package,
    ):
        for name in paper.namelist():
            with package.open(name, "w", force_zip64=True) as part:
                part.write(paper.read(name))
                for _block in range(2048 if name == "word/document.xml" else 0):
                    part.write(b" " * (1 << 20))
    return sink.getvalue()


def _flipped(dice: random.Random) -> bytes:
    content = bytearray(papers.paper_pdf())
    for _ in range(40):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return bytes(content)


GOOD: list[Maker] = [
    lambda dice: ("pdf", papers.pdf(_pages(dice), title=dice.choice(["", "untitled", TITLE]))),
    lambda dice: ("pdf", papers.paper_pdf(head=dice.choice(["", "学报 第 3 期"]))),
    lambda dice: ("docx", papers.paper_docx()),
    lambda dice: ("md", _markdown(dice)),
    lambda dice: (dice.choice(["html", "htm"]), _html(dice)),
    lambda dice: ("txt", _text(dice)),
    lambda dice: ("csv", _csv(dice)),
    lambda dice: ("json", _array(dice)),
    lambda dice: ("xlsx", papers.workbook({"目录": _rows(dice)})),
    lambda dice: ("ris", _ris(dice)),
]
BROKEN: list[Maker] = [
    lambda dice: ("pdf", papers.scanned_pdf(dice.randint(1, 3))),
    lambda dice: ("pdf", papers.paper_pdf(password="secret")),
    lambda dice: ("pdf", papers.paper_pdf()[: dice.randint(1, 1500)]),
    lambda dice: ("docx", papers.paper_docx()[: dice.randint(1, 9000)]),
    lambda dice: ("xlsx", papers.workbook({"a": _rows(dice)})[: dice.randint(1, 3000)]),
    lambda dice: (dice.choice(["pdf", "docx", "xlsx", "xls", "html", "md", "csv"]), b""),
    lambda dice: (dice.choice(["pdf", "docx", "xlsx", "xls", "txt"]), dice.randbytes(5000)),
    lambda dice: ("pdf", b"<html><p>not found</p></html>"),
    lambda dice: ("docx", papers.paper_pdf()),
    lambda dice: ("docx", b"\xd0\xcf\x11\xe0" + bytes(2000)),
    lambda dice: ("csv", b"1,2,3\n4,5,6\n"),
    lambda dice: ("xlsx", papers.workbook({"a": [["a", "b"], [1, 2]]})),
    lambda dice: ("png", b"\x89PNG" + dice.randbytes(100)),
    lambda dice: ("zip", papers.zipped({"a.md": b"# a"})),
    lambda dice: ("json", b'[{"id": 1, "title"'),
]
EITHER: list[Maker] = [
    lambda dice: ("pdf", _flipped(dice)),
    lambda dice: ("html", b"<div>" * 200_000 + "内容".encode()),
    lambda dice: ("txt", _sentences(dice, 2_000).encode() * 40),
]
HOSTILE: list[Maker] = [lambda dice: ("docx", _bomb(dice))]


def folder(seed: int, count: int) -> dict[str, tuple[bytes, str]]:
    """Files by their names, each with `good`, `broken` or `either`; at least one of each kind, but
    those that take seconds only where there is room for them."""
    dice = random.Random(seed)
    kinds = [("good", each) for each in GOOD] + [("broken", each) for each in BROKEN]
    kinds += [("either", each) for each in EITHER] + [("broken", each) for each in HOSTILE]
    while len(kinds) < count:
        kinds.append(dice.choice(kinds[: len(GOOD) + len(BROKEN)]))
    kinds = kinds[:count]
    dice.shuffle(kinds)
    files = {}
    for number, (kind, maker) in enumerate(kinds):
        suffix, content = maker(dice)
        files[f"{dice.choice(['', '论文/', 'a b/'])}文件{number:03d}.{suffix}"] = (content, kind)
    return files
