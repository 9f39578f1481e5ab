"""Files as people have them, made for tests: papers, notes, catalogues, and broken ones."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence

import docx
import pypdfium2 as pdfium
from docx.oxml import parse_xml
from openpyxl import Workbook
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

TITLE = "青藏高原冻土区路基的长期变形与预测"
ABSTRACT = (
    "针对冻土区路基在气候变暖下的变形问题，建立了水热耦合模型，"
    "并以十年监测数据检验，误差小于百分之五。"
)
KEYWORDS = ["冻土", "路基", "长期变形"]
_FONT = "STSong-Light"
_LINE = 34
"""Characters of a printed line."""


def pdf(
    pages: Sequence[str],
    *,
    title: str = "",
    password: str = "",
    outline: Mapping[int, str] | None = None,
    head: str = "",
) -> bytes:
    """A PDF with the paragraphs of each page, a line feed between two, broken into lines."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    sink = io.BytesIO()
    encrypt = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(sink, pagesize=A4, encrypt=encrypt, invariant=1)
    canvas.setTitle(title)
    for number, text in enumerate(pages):
        y = 780.0
        if head:
            canvas.setFont(_FONT, 9)
            canvas.drawString(60, 815, head)
            canvas.drawString(290, 30, str(number + 1))
        if outline and number in outline:
            canvas.bookmarkPage(f"p{number}")
            canvas.addOutlineEntry(outline[number], f"p{number}", 0)
        for place, paragraph in enumerate(text.split("\n")):
            large = number == 0 and place == 0
            canvas.setFont(_FONT, 20 if large else 12)
            for start in range(0, len(paragraph), _LINE):
                canvas.drawString(60, y, paragraph[start : start + _LINE])
                y -= 18
            y -= 8
        canvas.showPage()
    canvas.save()
    return sink.getvalue()


def paper_pdf(**options: object) -> bytes:
    """A paper of two pages with title, authors, abstract, keywords and sections."""
    first = "\n".join(
        [
            TITLE,
            "张三，李四",
            f"摘要：{ABSTRACT}",
            f"关键词：{'；'.join(KEYWORDS)}",
            "1 引言",
            "冻土是寒区工程的基础，" * 12,
        ]
    )
    return pdf([first, "2 模型\n" + "温度场与水分场耦合，" * 12], **options)  # type: ignore[arg-type]


def without_first_page(content: bytes) -> bytes:
    """A PDF of two pages with a damaged one in the place of the first, then the first."""
    [first, _] = re.findall(rb"(\d+) 0 R", re.findall(rb"/Kids \[([^]]*)\]", content)[0])
    return re.sub(rb"/Kids \[[^]]*\]", b"/Kids [ 999 0 R %s 0 R ]" % first, content)


def named_glyphs_pdf(text: str) -> bytes:
    """A PDF with this text in large letters, of at most 26 different characters, each of which the
    font names by its code in UTF-16."""
    letters = {char: bytes([ord("A") + at]) for at, char in enumerate(dict.fromkeys(text))}
    shown = b"BT /F 30 Tf 50 700 Td (%s) Tj ET" % b"".join(letters[char] for char in text)
    names = b"".join(
        b"<%s> <%s>\n" % (letter.hex().encode(), char.encode("utf-16-be").hex().encode())
        for char, letter in letters.items()
    )
    meant = (
        b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
        b"%d beginbfchar\n%sendbfchar endcmap" % (len(letters), names)
    )
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
        b"/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(meant), meant),
    )
    body = b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(objects, start=1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size 7/Root 1 0 R>>\n%%EOF"


def scanned_pdf(pages: int = 2) -> bytes:
    """Pages that are images, as a scanner makes them."""
    from PIL import Image

    image = ImageReader(Image.new("L", (120, 160), 200))
    sink = io.BytesIO()
    canvas = Canvas(sink, pagesize=A4, invariant=1)
    for _ in range(pages):
        canvas.drawImage(image, 0, 0, A4[0], A4[1])
        canvas.showPage()
    canvas.save()
    return sink.getvalue()


def scan_of(content: bytes) -> bytes:
    """The pages of a PDF as a scanner makes them: images of 200 dots an inch."""
    sink = io.BytesIO()
    canvas = Canvas(sink, pagesize=A4, invariant=1)
    for page in pdfium.PdfDocument(content):
        drawn = page.render(scale=200 / 72, grayscale=True).to_pil()
        canvas.drawImage(ImageReader(drawn), 0, 0, *A4)
        canvas.showPage()
    canvas.save()
    return sink.getvalue()


def paper_docx() -> bytes:
    """The same paper as Word has it, with a table."""
    document = docx.Document()
    document.core_properties.author = "张三"
    document.core_properties.title = "Microsoft Word - 1.doc"
    document.add_paragraph(TITLE, style="Title")
    document.add_paragraph("张三，李四")
    document.add_paragraph(f"摘要：{ABSTRACT}")
    document.add_paragraph(f"关键词：{'；'.join(KEYWORDS)}")
    document.add_heading("引言", 1)
    document.add_paragraph("冻土是寒区工程的基础。")
    document.add_heading("模型", 2)
    table = document.add_table(2, 2)
    for place, text in enumerate(("年份", "沉降", "2019", "12 mm")):
        table.cell(place // 2, place % 2).text = text
    sink = io.BytesIO()
    document.save(sink)
    return sink.getvalue()


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_MATHS = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def docx_of(*blocks: str, main: str = "document") -> bytes:
    """A Word document of these paragraphs and tables in Word's own XML; `main` is the name of its
    main part, which Word on the web numbers."""
    document = docx.Document()
    body = document.element.body
    for block in blocks:
        xml = re.sub(r"^<[\w:]+", rf'\g<0> xmlns:w="{_WORD}" xmlns:m="{_MATHS}"', block)
        body.insert(len(body) - 1, parse_xml(xml))
    sink = io.BytesIO()
    document.save(sink)
    with zipfile.ZipFile(sink) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    old, new = b"word/document.xml", f"word/{main}.xml".encode()
    return zipped(
        {
            name.replace("word/document.xml", f"word/{main}.xml").replace(
                "word/_rels/document.xml", f"word/_rels/{main}.xml"
            ): content.replace(old, new)
            for name, content in parts.items()
        }
    )


def without_properties(content: bytes) -> bytes:
    """A Word document without the part that notes its title and author, as some programs write
    it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    del parts["docProps/core.xml"]
    for name in ("_rels/.rels", "[Content_Types].xml"):
        parts[name] = re.sub(rb"<(?:Relationship|Override) [^>]*core\.xml[^>]*/>", b"", parts[name])
    return zipped(parts)


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]], merged: Sequence[str] = ()) -> bytes:
    """An xlsx with these sheets; in each of them the cells of the ranges `merged` are one."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for cells in merged:
            sheet.merge_cells(cells)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    """A workbook with other XML in its sheets."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return zipped({name: book.read(name).replace(old, new) for name in book.namelist()})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by their names."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()
