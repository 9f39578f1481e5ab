"""PDF, DOCX, HTML, Markdown and plain text as documents; workbooks; zips of all of them."""

import io
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.documents import MAX_BODY_BYTES
from services.common.errors import UnsupportedFormat
from services.common.wire.input_formats import Charset, InputFormat, format_of_name
from services.indexer.intake.files.extracted import Extracted, Unreadable
from services.indexer.intake.files.sandbox import Sandbox
from services.indexer.intake.files.structure import complete, is_title
from services.indexer.intake.frequent import FREQUENT
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput
from services.indexer.intake.sniff import check_beginning
from services.indexer.intake.sources import check_stored
from services.indexer.jobs.manifest import Plan
from tests.indexer import papers
from tests.indexer.papers import ABSTRACT, KEYWORDS, TITLE
from tests.indexer.planning import DIMENSION, Case, about


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as one:
        yield one


def extracted(
    sandbox: Sandbox, kind: InputFormat, content: bytes, charset: Charset | None = None
) -> Extracted:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        [part] = sandbox.read(kind, Path(file.name), charset)
    return Extracted(**part)


Planned = Callable[..., tuple[Case, Plan]]
"""Plans a file as the input of a job, in a folder that no other one has used."""


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    numbers = itertools.count()

    def plan(
        content: bytes, kind: InputFormat, name: str = "", **manifest: Any
    ) -> tuple[Case, Plan]:
        folder = tmp_path / str(next(numbers))
        case = Case(folder, content, 100, format=kind, name=name, **manifest)
        return case, case.plan()

    return plan


def test_a_paper_in_pdf_has_title_abstract_keywords_headings_and_pages(sandbox: Sandbox) -> None:
    found = extracted(sandbox, InputFormat.PDF, papers.paper_pdf(title="untitled"))
    assert found.title == TITLE
    assert found.abstract == ABSTRACT
    assert found.fields == {"page_count": 2, "keywords": KEYWORDS}
    first, second = found.body.split("\f")
    assert "# 1 引言\n\n冻土是寒区工程的基础，" in first
    assert "冻土是寒区工程的基础，" * 12 in first, "lines are joined to paragraphs"
    assert second.startswith("# 2 模型\n\n温度场与水分场耦合，")


def test_running_heads_and_page_numbers_are_no_text(sandbox: Sandbox) -> None:
    subjects = "土水气热盐冰雪风"
    pages = [f"{one}的作用\n正文说的是{one}这件事。" for one in subjects]
    content = papers.pdf(pages, head="冻土工程学报 第 3 期", outline={3: "热的作用"})
    found = extracted(sandbox, InputFormat.PDF, content)
    assert "学报" not in found.body
    assert found.body.split("\f")[4] == "盐的作用\n\n正文说的是盐这件事。"
    assert found.body.split("\f")[3].startswith("# 热的作用"), "the outline names headings"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (papers.scanned_pdf(3), "is scanned: its 3 pages are images without text"),
        (papers.scanned_pdf(1), "is scanned: its only page is an image without text"),
        (papers.pdf([""]), "holds no text on any page"),
        (papers.paper_pdf(password="secret"), "is encrypted; remove the password"),
        (papers.paper_pdf()[:900], "is damaged, or no PDF"),
        (b"%PDF-1.7\n" + b"\x00" * 4_000, "is damaged, or no PDF"),
    ],
)
def test_a_pdf_without_a_document_is_told(sandbox: Sandbox, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        extracted(sandbox, InputFormat.PDF, content)


@pytest.mark.parametrize(
    "named",
    ["摘要：{}", "摘　要 {}", "【摘要】{}", "［ 摘要 ］：{}", "[摘 要]\n\n{}", "中文摘要\n{}",
     "## 摘要\n\n{}", "Abstract: {}", "[Abstract] {}"],
)  # fmt: skip
@pytest.mark.parametrize("behind", ["\n关键词：水", "\n【关键词】水", "\n\n1\n引言\n关键字 水"])
def test_an_abstract_is_found_by_its_name(named: str, behind: str) -> None:
    text = ABSTRACT if "摘" in named else "The permafrost below roads thaws, and models say when."
    found = complete(Extracted(body=named.format(text) + behind))
    assert (found.abstract, found.fields) == (text, {"keywords": ["水"]})


@pytest.mark.parametrize("blank", ["\n", " \n", " ", "\t", "\f", "# ", "1 "])
def test_a_text_of_blank_lines_is_read_in_time(blank: str) -> None:
    """Pages that are saved as text, and forms, hold thousands of them."""
    begin = time.process_time()
    for name in ("", "摘要", "关键词", "abstract"):
        complete(Extracted(body=f"题\n{name}{blank * (20_000 // len(blank))}x"))
    assert time.process_time() - begin < 3


def test_a_damaged_first_page_costs_no_other(sandbox: Sandbox) -> None:
    content = papers.without_first_page(papers.paper_pdf())
    found = extracted(sandbox, InputFormat.PDF, content)
    assert (found.title, found.abstract) == (TITLE, ABSTRACT)
    assert found.fields["pages_without_text"] == 1
    assert found.body.startswith("\f")


def test_rare_characters_stay_in_the_title_of_a_pdf(sandbox: Sandbox) -> None:
    title = "𠮷野与𬭚的研究进展"
    found = extracted(sandbox, InputFormat.PDF, papers.named_glyphs_pdf(title))
    assert (found.title, found.body) == (title, title)


def test_a_paper_in_word_has_its_headings_and_tables(sandbox: Sandbox) -> None:
    found = extracted(sandbox, InputFormat.DOCX, papers.paper_docx())
    assert (found.title, found.abstract) == (TITLE, ABSTRACT)
    assert found.fields == {"authors": ["张三"], "keywords": KEYWORDS}
    assert "# 引言\n\n冻土是寒区工程的基础。\n\n## 模型\n\n年份 | 沉降\n2019 | 12 mm" in found.body


def test_a_word_file_without_properties_has_its_own_title(sandbox: Sandbox) -> None:
    """The library that reads Word files makes up properties where a file has none."""
    content = papers.docx_of(paragraph(TITLE), paragraph("冻土是寒区工程的基础。"))
    bare = papers.without_properties(content)
    assert extracted(sandbox, InputFormat.DOCX, bare).title == TITLE


@pytest.mark.parametrize(
    "noted", ["Word Document", "PowerPoint Presentation", "Microsoft Word - 1.doc", "幻灯片 1"]
)
def test_a_title_that_programs_note_is_none(noted: str) -> None:
    assert not is_title(noted)
    assert is_title("Word documents in archives")


def run(text: str) -> str:
    """A run of a paragraph in Word's XML."""
    return f"<w:r><w:t>{text}</w:t></w:r>"


def control(content: str) -> str:
    """A content control around something."""
    return f"<w:sdt><w:sdtContent>{content}</w:sdtContent></w:sdt>"


def paragraph(text: str) -> str:
    """A paragraph in Word's XML."""
    return f"<w:p>{run(text)}</w:p>"


CELL = f"<w:tc>{paragraph('甲')}</w:tc>"


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (f"<w:p>{run('路基')}{run('变形')}</w:p>", "路基变形"),
        (f'<w:p>{run("路基")}<w:ins w:id="1">{run("变形")}</w:ins></w:p>', "路基变形"),
        (f'<w:p>{run("路基")}<w:moveTo w:id="1">{run("变形")}</w:moveTo></w:p>', "路基变形"),
        (
            '<w:p>' + run("路基") + '<w:del w:id="1"><w:r><w:delText>桥</w:delText></w:r></w:del>'
            f'<w:moveFrom w:id="2">{run("梁")}</w:moveFrom></w:p>',
            "路基",
        ),
        (f"<w:p>{control(run('(张三, 2019)'))}{run('认为')}</w:p>", "(张三, 2019)认为"),
        (control(paragraph("摘要页")), "摘要页"),
        (f'<w:p><w:fldSimple w:instr="REF x">{run("图 1")}</w:fldSimple></w:p>', "图 1"),
        (f"<w:p><w:smartTag>{run('北京')}</w:smartTag>{run('市')}</w:p>", "北京市"),
        (f"<w:p>{run('其中')}<m:oMath><m:r><m:t>E=mc</m:t></m:r></m:oMath></w:p>", "其中E=mc"),
        (
            "<w:p><w:r><w:ruby><w:rt><w:r><w:t>dong</w:t></w:r></w:rt>"
            f"<w:rubyBase>{run('冻')}</w:rubyBase></w:ruby></w:r>{run('土')}</w:p>",
            "冻土",
        ),
        ('<w:p><w:r><w:t>一</w:t><w:br/><w:t>二</w:t><w:tab/><w:br w:type="page"/></w:r></w:p>',
         "一\n二"),
        (f"<w:p><w:r><w:pict><w:txbxContent><w:p>{run('框')}</w:p></w:txbxContent></w:pict></w:r>"
         f"{run('外')}</w:p>", "外"),
        (f"<w:tbl><w:tr>{CELL}{control(CELL)}</w:tr>{control(f'<w:tr>{CELL}</w:tr>')}</w:tbl>",
         "甲 | 甲\n甲"),
        (f"<w:tbl><w:tr><w:tc><w:p>{run('外')}</w:p><w:tbl><w:tr>{CELL}{CELL}</w:tr></w:tbl><w:p/>"
         "</w:tc></w:tr></w:tbl>", "外 甲 甲"),
    ],
)  # fmt: skip
def test_what_a_word_file_shows_is_read(sandbox: Sandbox, block: str, text: str) -> None:
    found = extracted(sandbox, InputFormat.DOCX, papers.docx_of(paragraph("首段"), block))
    assert found.body == f"首段\n\n{text}"


def test_a_word_file_from_the_web_is_read(sandbox: Sandbox) -> None:
    content = papers.docx_of(paragraph("冻土区路基"), main="document2")
    assert extracted(sandbox, InputFormat.DOCX, content).body == "冻土区路基"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "is encrypted, or an old Word file"),
        (papers.workbook({"a": [["x"]]}), "no Word document"),
        (papers.paper_docx()[:700], "is damaged, or no Word document"),
        (papers.zipped({"word/document.xml": b"<a>"}), "is damaged"),
    ],
)
def test_a_word_file_without_a_document_is_told(
    sandbox: Sandbox, content: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        extracted(sandbox, InputFormat.DOCX, content)


def test_a_web_page_that_closes_nothing_loses_no_text_without_a_word(sandbox: Sandbox) -> None:
    """The parser ends without an error at elements that are too deep within each other."""
    paragraphs = [f"<font>第{number}段" for number in range(3_000)]
    with pytest.raises(Unreadable, match="has elements within each other"):
        extracted(sandbox, InputFormat.HTML, "".join(paragraphs).encode())
    found = extracted(sandbox, InputFormat.HTML, "".join(paragraphs[:1_000]).encode())
    assert found.body.count("段") == 1_000


def test_a_web_page_is_its_main_text_and_what_it_says_of_itself(sandbox: Sandbox) -> None:
    page = """<!doctype html><html><head><meta charset="gbk"><title>某期刊 - 首页</title>
    <meta name="citation_title" content="冻土的变形"><meta name="citation_author" content="张三">
    <meta name="citation_author" content="李四"><meta name="citation_journal_title" content="冻土">
    <meta name="citation_date" content="2019/3/1"><meta name="citation_doi" content="10.1360/N1">
    <script>var x = "脚本";</script></head><body><nav>首页 登录</nav><article><h1>冻土的变形</h1>
    <p>第一段，<b>重</b>点
    在此。</p><ul><li>其一</li><li>其二</li></ul><h2>方法</h2><pre>a
  b</pre><table><tr><th>年</th><th>值</th></tr><tr><td>2019</td><td>3</td></tr></table>
    </article><footer>版权所有</footer></body></html>"""
    found = extracted(sandbox, InputFormat.HTML, page.encode("gbk"))
    assert found.title == "冻土的变形"
    assert found.fields == {
        "authors": ["张三", "李四"],
        "journal": "冻土",
        "year": 2019,
        "doi": "10.1360/n1",
    }
    assert found.body == (
        "# 冻土的变形\n\n第一段，重点 在此。\n\n- 其一\n\n- 其二\n\n## 方法\n\na\nb\n\n"
        "年 | 值\n\n2019 | 3"
    )


@pytest.mark.parametrize("declared", ["", "utf-8", "gb2312", "gb18030", "iso-8859-1"])
@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_a_page_is_read_whatever_it_says_of_its_charset(
    sandbox: Sandbox, charset: str, declared: str
) -> None:
    """Pages are converted, and their declarations stay."""
    text = "冻土区路基的长期变形与预测，针对气候变暖下的变形问题。"
    page = f"<html><head><meta charset='{declared}'></head><body><p>{text}</p></body></html>"
    assert extracted(sandbox, InputFormat.HTML, page.encode(charset)).body == text


def test_a_short_page_is_read_in_the_charset_that_it_declares(sandbox: Sandbox) -> None:
    page = "<html><head><meta charset='big5'></head><body><p>凍土</p></body></html>"
    assert extracted(sandbox, InputFormat.HTML, page.encode("big5")).body == "凍土"


def test_markdown_keeps_headings_and_takes_its_front_matter(sandbox: Sandbox) -> None:
    text = """---
title: "土壤笔记"
author: 张三, 李四
tags: [土壤, 碳]
date: 2021-05-01
---
开头。

方法
----
```sh
# no heading
```
"""
    found = extracted(sandbox, InputFormat.MARKDOWN, text.encode())
    assert found.title == "土壤笔记"
    assert found.fields == {"authors": ["张三", "李四"], "keywords": ["土壤", "碳"], "year": 2021}
    assert found.body == "开头。\n\n## 方法\n```sh\n # no heading\n```"


@pytest.mark.parametrize(
    ("front", "wanted"),
    [
        ("author:\n  - 张三\n  - 李四", ["张三", "李四"]),
        ("authors:\n- 'Zhang, San'\n- \"Li, Si\"", ["Zhang, San", "Li, Si"]),
        ("authors:\n  - name: 张三\n    affiliation: 某大学\n  - name: 李四", ["张三", "李四"]),
        ("authors: [张三,\n  李四]", ["张三", "李四"]),
        ("author: 张三", ["张三"]),
        ("authors:\n  - 张三, 李四", ["张三", "李四"]),
    ],
)
def test_authors_of_a_front_matter(sandbox: Sandbox, front: str, wanted: list[str]) -> None:
    text = f"---\n{front}\ntitle: 冻土\n---\n正文。\n"
    found = extracted(sandbox, InputFormat.MARKDOWN, text.encode())
    assert (found.title, found.fields) == ("冻土", {"authors": wanted})


@pytest.mark.parametrize(
    ("first", "title"),
    [
        ("### 会议纪要", "会议纪要"),
        ("**会议纪要**", "会议纪要"),
        ("# [冻土](https://example.org/a_(b)) 的 `变形` 与 **融沉** ##", "冻土 的 变形 与 融沉"),
        ("# ![图](a.png) 冻土 ~~旧~~ *与* _水_", "图 冻土 旧 与 水"),
        ('<h1 align="center">冻土学</h1>', "冻土学"),
        ("> 冻土学", "冻土学"),
        ("- 冻土学", "冻土学"),
        ("# snake_case_name 与 2 * 3 * 4 与 a < b", "snake_case_name 与 2 * 3 * 4 与 a < b"),
        ("# C# 与 F#", "C# 与 F#"),
        ("# 家", "笔记"),
    ],
)
def test_a_title_of_markdown_is_what_it_shows(planned: Planned, first: str, title: str) -> None:
    case, plan = planned(f"{first}\n\n内容。\n".encode(), InputFormat.MARKDOWN, "笔记.md")
    [item] = case.documents(plan)
    assert item.document.title == title
    assert item.document.body.startswith(first)


def test_a_text_in_a_front_matter_is_not_read_as_members(sandbox: Sandbox) -> None:
    text = "---\nabstract: |\n  Methods: levelling.\n  - ten years\ntitle: 冻土\n---\n正文。\n"
    found = extracted(sandbox, InputFormat.MARKDOWN, text.encode())
    assert (found.title, found.abstract) == ("冻土", "Methods: levelling.\n- ten years")
    assert found.fields == {}


@pytest.mark.parametrize("sign", ["|", ">", "|-", ">-", "|2+", ""])
def test_texts_of_several_lines_in_a_front_matter(sandbox: Sandbox, sign: str) -> None:
    front = (
        f"title: >-\n  冻土区\n  路基\nabstract: {sign}\n  第一行。\n\n  第二行。\ndate: 2021-05-01"
    )
    text = f"---\n{front}\n---\n正文。\n"
    found = extracted(sandbox, InputFormat.MARKDOWN, text.encode())
    assert (found.title, found.abstract) == ("冻土区 路基", "第一行。\n第二行。")
    assert found.fields == {"year": 2021}


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "big5"])
def test_a_plain_text_is_read_in_its_charset(sandbox: Sandbox, charset: str) -> None:
    abstract = "這是一篇關於寒區工程的文章，說的是凍土融化後路基如何變形，以及十年觀測的結果。"
    text = f"凍土與路基的變形\n\n摘要：{abstract}\n\n1 前言\n\n內容。\f第二頁。"
    found = extracted(sandbox, InputFormat.TEXT, text.encode(charset))
    assert found.title == "凍土與路基的變形"
    assert found.abstract == abstract
    assert "# 1 前言" in found.body
    assert found.fields == {"page_count": 2}


def test_a_text_of_no_known_charset_is_told_and_a_declared_one_wins(sandbox: Sandbox) -> None:
    content = "冻土与路基的变形研究".encode("gb18030")
    assert extracted(sandbox, InputFormat.TEXT, content, Charset.GB18030).title
    with pytest.raises(Unreadable, match="cannot be read as utf-8 from byte 0"):
        extracted(sandbox, InputFormat.TEXT, content, Charset.UTF8)
    with pytest.raises(Unreadable, match="is in no charset that is recognised"):
        extracted(sandbox, InputFormat.TEXT, bytes(range(128, 256)) * 9)


def test_a_file_is_a_document_by_its_name_or_its_digest(planned: Planned) -> None:
    content = papers.paper_pdf()
    case, plan = planned(content, InputFormat.PDF, "论文.pdf")
    [one] = case.documents(plan)
    assert one.document.id == "论文.pdf"
    assert one.document.fields["file"] == "论文.pdf"
    assert one.document.fields["format"] == "pdf"
    assert one.document.text == ABSTRACT
    assert one.document.body.count("\f") == 1
    case, plan = planned(content, InputFormat.PDF)
    [nameless] = case.documents(plan)
    mapping = FieldMapping(id="sha256")
    case, plan = planned(content, InputFormat.PDF, "论文.pdf", mapping=mapping)
    [digested] = case.documents(plan)
    assert nameless.document.id == digested.document.id
    assert len(digested.document.id) == 64


def test_a_file_that_is_no_document_fails_its_job_in_one_sentence(planned: Planned) -> None:
    with pytest.raises(BadInput, match=r"^The file is scanned: its 2 pages are images"):
        planned(papers.scanned_pdf(), InputFormat.PDF, "scan.pdf")


CATALOGUE: list[list[Any]] = [
    ["编号", "题名", "年份", "价格"],
    [1, "冻土学", 2019, 30.5],
    ["2", "水稻", "2020", 28],
]


def test_a_workbook_is_a_table_with_numbers_as_numbers(planned: Planned) -> None:
    sheets: dict[str, list[list[Any]]] = {
        "目录": [["馆藏目录"], [], *CATALOGUE],
        "空": [],
        "续": [CATALOGUE[0], [3, "小麦", 2021, None]],
        "说明": [["说明", "值"], ["a", 1]],
    }
    mapping = FieldMapping(id="编号", title="题名", fields={"year": "年份", "price": "价格"})
    case, plan = planned(papers.workbook(sheets), InputFormat.XLSX, mapping=mapping)
    found = [(item.line, item.document.id, item.document.fields) for item in case.documents(plan)]
    assert found == [
        (4, "1", {"year": 2019, "price": 30.5}),
        (5, "2", {"year": 2020, "price": 28.0}),
        (2, "3", {"year": 2021}),
    ]
    [left_out] = case.rejected()
    assert "holds the sheet 说明, which has other columns" in left_out.reason


@pytest.mark.parametrize("note", [[["本表说明"], ["请勿修改"]], [["说明"]], [["说明"], ["甲"]] * 9])
def test_a_sheet_of_notes_before_the_table_is_left_out(
    planned: Planned, sandbox: Sandbox, note: list[list[Any]]
) -> None:
    sheets: dict[str, list[list[Any]]] = {"说明": note, "文献": [["id", "title"], [1, "甲"]]}
    content = papers.workbook(sheets)
    told = about(InputFormat.XLSX, sandbox=sandbox)
    check_stored(lambda: nullcontext(io.BytesIO(content)), told)
    case, plan = planned(content, InputFormat.XLSX)
    assert [(item.line, item.document.id) for item in case.documents(plan)] == [(2, "1")]
    assert [item.reason for item in case.rejected()] == [
        "holds the sheet 说明, which has other columns: it was not read"
    ]


def rows_of(planned: Planned, *sheet: list[Any], **manifest: Any) -> list[tuple[int, str]]:
    case, plan = planned(papers.workbook({"s": list(sheet)}), InputFormat.XLSX, **manifest)
    return [(item.line, item.document.id) for item in case.documents(plan)]


@pytest.mark.parametrize("above", [0, 1, 12])
@pytest.mark.parametrize("count", [2, 30])
def test_a_sheet_of_one_column_loses_no_row(planned: Planned, above: int, count: int) -> None:
    titles = [["题名"], *([f"文献 {chr(0x4E00 + n)}"] for n in range(count))]
    mapping = FieldMapping(id="题名", title="题名", text="")
    found = rows_of(planned, *([] for _ in range(above)), *titles, mapping=mapping)
    assert found == [(above + 2 + n, title) for n, [title] in enumerate(titles[1:])]


@pytest.mark.parametrize(
    ("header", "merged", "fields"),
    [
        # The usual form: single columns reach over both rows, a group stands above its columns.
        ([["id", "题名", "出版", None], [None, None, "年", "刊"]], "A1:A2 B1:B2 C1:D1",
         {"年": 2019, "刊": "冻土"}),
        # Single columns that are not merged, and a group in the middle.
        ([["id", "出版", None, "题名"], [None, "年", "刊", None]], "B1:C1",
         {"年": 2019, "刊": "冻土"}),
        # Groups above all columns.
        ([["文献", None, "出版", None], ["id", "题名", "年", "刊"]], "A1:B1 C1:D1",
         {"年": 2019, "刊": "冻土"}),
        # Names that are only distinct together with their groups.
        ([["id", "题名", "中文", None, "英文", None], [None, None, "刊", "页", "刊", "页"]],
         "A1:A2 B1:B2 C1:D1 E1:F1",
         {"中文 刊": 2019, "中文 页": "冻土", "英文 刊": "a", "英文 页": "b"}),
        # Three rows, below a caption.
        ([["目录", *[None] * 3], ["id", "题名", "出版", None], [None, None, "时间", None],
          [None, None, "年", "月"]], "A1:D1 A2:A4 B2:B4 C2:D2 C3:D3", {"年": 2019, "月": "冻土"}),
    ],
)  # fmt: skip
def test_a_header_of_several_rows_names_the_columns(
    planned: Planned, header: list[list[Any]], merged: str, fields: dict[str, Any]
) -> None:
    first = next(row for row in header if len(list(filter(None, row))) > 1)
    middle = first[1] == "出版"
    row = ["1", 2019, "冻土", "书"] if middle else ["1", "书", 2019, "冻土", "a", "b"]
    content = papers.workbook({"s": [*header, row[: len(first)]]}, merged.split())
    case, plan = planned(content, InputFormat.XLSX, mapping=FieldMapping(title="题名"))
    [found] = case.documents(plan)
    assert (found.document.id, found.document.title) == ("1", "书")
    assert found.document.fields == fields
    assert (found.line, case.rejected()) == (len(header) + 1, [])


def test_a_merged_name_above_rows_is_no_header_of_two_rows(planned: Planned) -> None:
    sheet = [["id", "title", "作者", None], ["1", "甲", "张三", None], ["2", "乙", "李四", None]]
    case, plan = planned(papers.workbook({"s": sheet}, ["C1:D1"]), InputFormat.XLSX)
    assert [item.document.fields["作者"] for item in case.documents(plan)] == ["张三", "李四"]


def test_a_cell_that_is_merged_over_rows_is_a_value_of_each(planned: Planned) -> None:
    """People write a journal once beside all of its papers."""
    sheet: list[list[Any]] = [
        ["目录"], ["id", "title", "刊", "年"], [1, "甲", "冻土", 2019], [2, "乙"], [3, "丙"],
        [None], [4, "丁", "冰川", 2020], [5, "戊", None, None],
    ]  # fmt: skip
    merged = ["A1:D1", "C3:C6", "D3:D4", "C7:D8"]
    case, plan = planned(papers.workbook({"s": sheet}, merged), InputFormat.XLSX)
    found = {item.document.id: item.document.fields for item in case.documents(plan)}
    assert found == {
        "1": {"刊": "冻土", "年": 2019},
        "2": {"刊": "冻土", "年": 2019},
        "3": {"刊": "冻土"},
        "4": {"刊": "冰川"},
        "5": {"刊": "冰川"},
    }
    assert case.rejected() == []


def test_rows_that_share_an_id_in_a_merged_cell_do_not_replace_each_other(planned: Planned) -> None:
    sheet: list[list[Any]] = [["id", "title"], [1, "甲"], [None, "乙"], [2, "丙"]]
    case, plan = planned(papers.workbook({"s": sheet}, ["A2:A3"]), InputFormat.XLSX)
    assert [item.document.title for item in case.documents(plan)] == ["甲", "丙"]
    [rejected] = case.rejected()
    assert (rejected.line, rejected.reason) == (
        3,
        "has its id in a cell that is merged with the one above; give it an id of its own",
    )


def test_a_merged_note_beside_a_table_costs_one_row(planned: Planned) -> None:
    sheet: list[list[Any]] = [
        ["id", "title", None, "年"],
        [1, "甲", "复核", 2019],
        [2, "乙"],
        [3, "丙"],
    ]
    case, plan = planned(papers.workbook({"s": sheet}, ["C2:C4"]), InputFormat.XLSX)
    assert [item.document.id for item in case.documents(plan)] == ["2", "3"]
    assert [item.line for item in case.rejected()] == [2]


def test_cells_without_a_value_are_told(planned: Planned) -> None:
    """Formulas that a program wrote without computing them, and errors of those computed."""
    sheets: dict[str, list[list[Any]]] = {
        "一": [["目录"], ["id", "title", "n"], [1, "甲", "=1+1"], [2, "乙", "#N/A"],
               [3, "#REF!", 5], [4, "丁", "=2+2"]],
        "二": [["id", "title", "n"], [5, "戊", "=3"]],
        "三": [["id", "title", "n"], [6, "己", 7]],
        "四": [["x", "y"], ["=1", "#N/A"]],
    }  # fmt: skip
    case, plan = planned(papers.workbook(sheets), InputFormat.XLSX)
    ids = [item.document.id for item in case.documents(plan)]
    assert ids == ["1", "2", "4", "5", "6"]
    rejected = [(item.line, item.reason) for item in case.rejected()]
    assert rejected[0] == (5, "a title, a text or a body is needed")
    assert [line for line, _ in rejected[1:]] == [0, 0, 0, 0]
    told = [reason for _, reason in rejected[1:]]
    assert "2 formulas without a stored value in the sheet 一, the first in C3" in told[0]
    assert "2 errors such as #N/A in the sheet 一, the first in C4" in told[1]
    assert "1 formula without a stored value in the sheet 二, in C2" in told[2]
    assert "holds the sheet 四" in told[3]
    assert plan.read == len(ids) + len(rejected)


def test_a_matrix_of_vectors_has_a_row_for_each_row_of_a_workbook(tmp_path: Path) -> None:
    """Not for what is told of a workbook beside its rows."""
    sheets: dict[str, list[list[Any]]] = {
        "一": [["id", "title", "n"], ["a", "甲", "=1"], ["", "乙", "#N/A"]],
        "二": [["id", "title", "n"], ["c", "丙", 1]],
        "三": [["x", "y"], ["a", 1]],
    }
    content = papers.workbook(sheets)
    case = Case(tmp_path, content, 100, format=InputFormat.XLSX, vectors=True)
    matrix = io.BytesIO()
    np.save(matrix, np.eye(DIMENSION, dtype=np.float32)[:3])
    case.files.store.write(case.files.vectors_key("job"), matrix.getvalue())
    found = [(item.document.id, item.vector) for item in case.documents(case.plan())]
    assert [(id_, int(np.argmax(vector))) for id_, vector in found if vector is not None] == [
        ("a", 0),
        ("c", 2),
    ]
    assert len(case.rejected()) == 4


def test_formulas_with_values_are_no_fault(planned: Planned) -> None:
    cells = b'<c r="C2"><f>1+1</f><v></v></c>'
    values = [b'<c r="C2"><f>1+1</f><v>2</v></c>', b'<c r="C2" t="str"><f>""</f><v></v></c>']
    content = papers.workbook({"s": [["id", "title", "n"], [1, "甲", "=1+1"]]})
    for value in values:
        case, plan = planned(papers.replaced(content, cells, value), InputFormat.XLSX)
        assert (plan.read, plan.rejected, case.rejected()) == (1, 0, [])


def test_an_old_workbook_is_read_too(planned: Planned) -> None:
    """XLS, which no kept library writes any more: the file was made once, by xlwt."""
    content = (Path(__file__).parent / "samples" / "catalogue.xls").read_bytes()
    case, plan = planned(content, InputFormat.XLS, mapping=FieldMapping(id="编号", title="题名"))
    assert [(item.document.id, item.document.fields) for item in case.documents(plan)] == [
        ("1", {"年份": 2019, "价格": 30.5, "责任者": ["张三", "李四"]}),
        ("2", {"年份": 2020, "价格": 28.0, "责任者": ["王五"]}),
    ]


def test_a_zip_of_all_kinds_is_read_file_by_file(planned: Planned) -> None:
    files = {
        "论文/冻土.pdf": papers.paper_pdf(),
        "b.docx": papers.paper_docx(),
        "n.md": "# 笔记\n\n内容。".encode(),
        "t.txt": "题目\n\n内容。".encode("gb18030"),
        "p.html": "<h1>网页</h1><p>内容。</p>".encode(),
        "r.csv": "id,title\nr1,一\n,缺\n".encode("gb18030"),
        "a.json": b'[{"id": "j1", "title": "J"}, 3]',
        "l.json": b'{"id": "j2", "title": "K"}\n{"id": "j3", "title": "L"}\n',
        "w.xlsx": papers.workbook({"s": [["id", "title"], ["w1", "W"]]}),
        "c.txt": "Title-题名: 某文\nAuthor-作者: 张\nSource-刊名: 刊\nYear-年: 2019\n".encode(),
        "scan.pdf": papers.scanned_pdf(),
        "empty.docx": b"",
        "photo.png": b"\x89PNG",
        "in.zip": papers.zipped({"a.md": b"x"}),
        "bad.csv": b"no,header\n1,2\n",
        "__MACOSX/._b.docx": b"x",
        ".DS_Store": b"x",
    }
    case, plan = planned(papers.zipped(files), InputFormat.ZIP, charset=None)
    ids = {item.document.id for item in case.documents(plan)}
    assert ids >= {"论文/冻土.pdf", "b.docx", "n.md", "t.txt", "p.html", "r1", "w1"}
    assert ids >= {"j1", "j2", "j3"}
    assert len(ids) == 11, "and the citation"
    told = {(item.file, item.line): item.reason for item in case.rejected()}
    assert set(told) == {
        *(("r.csv", 3), ("a.json", 2)),
        *((name, 0) for name in ("scan.pdf", "empty.docx", "photo.png", "in.zip", "bad.csv")),
    }
    assert told["empty.docx", 0] == "is empty"
    assert "no format that is read" in told["photo.png", 0]
    assert "a zip in a zip" in told["in.zip", 0]
    assert plan.read == len(ids) + len(told)


@pytest.mark.parametrize("name", ["a.xls", "a.xlsx"])
@pytest.mark.parametrize(
    "content", [b"<html><table></table></html>", b'<?xml version="1.0"?><W/>', b"id\ttitle\n1\ta\n"]
)
def test_a_table_with_the_name_of_a_workbook_is_told_alone_and_in_a_zip(
    planned: Planned, name: str, content: bytes
) -> None:
    """Many systems, CNKI among them, write such files for Excel, which opens them."""
    kind, _ = format_of_name(name)
    assert kind is not None
    with pytest.raises(UnsupportedFormat, match="Open it in Excel and save it as"):
        check_beginning(content, kind, FieldMapping())
    case, _ = planned(papers.zipped({name: content, "b.md": b"# Notes"}), InputFormat.ZIP)
    [told] = case.rejected()
    assert told.file == name
    assert "Open it in Excel and save it as .xlsx" in told.reason


def test_names_of_a_zip_made_by_chinese_windows_are_read(planned: Planned) -> None:
    content = papers.zipped({"aa.md": b"# x"})
    content = content.replace(b"aa.md", "冻".encode("gb18030") + b".md")
    case, plan = planned(content, InputFormat.ZIP, charset=None)
    assert [item.document.id for item in case.documents(plan)] == ["冻.md"]


def test_a_text_beyond_the_limit_of_a_body_is_cut_and_says_so(planned: Planned) -> None:
    content = ("冻土与路基的变形。" * 100 + "\n\n").encode() * 2_000
    case, plan = planned(content, InputFormat.TEXT, "long.txt", charset=None)
    [item] = case.documents(plan)
    assert 4_900_000 < len(item.document.body.encode()) <= MAX_BODY_BYTES
    left_out = item.document.fields["characters_left_out"]
    assert left_out == len(content.decode().strip("\n")) - len(item.document.body)


def test_a_paper_of_300_pages_is_whole(sandbox: Sandbox) -> None:
    words = sorted(FREQUENT)
    texts = [
        f"这一页说的是{word}，冻土区的{word}与{word}有关，随时间变化。" * 14 for word in words[:300]
    ]
    pages = [f"{number} 第{number}节\n{text}" for number, text in enumerate(texts, start=1)]
    found = extracted(sandbox, InputFormat.PDF, papers.pdf(pages, head="冻土工程学报"))
    assert found.fields["page_count"] == 300
    bodies = found.body.split("\f")
    assert len(bodies) == 300
    for number, page in enumerate(bodies, start=1):
        assert page.startswith((f"# {number} 第{number}节", f"{number} 第{number}节"))
        assert page.endswith(texts[number - 1])
        assert "学报" not in page
