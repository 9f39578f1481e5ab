"""What the beginning of an input tells is told at submission, with what to write instead."""

import io
import json
import re
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from pydantic import ValidationError

from services.common.errors import InvalidRequest, SearchError, UnsupportedFormat
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.charsets import as_utf8, likely_charset
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.sniff import check_beginning, check_table

CSV, TSV, JSONL, LINES = (
    InputFormat.CSV,
    InputFormat.TSV,
    InputFormat.JSONL,
    InputFormat.LINES,
)
CHINESE = "编号,标题,年份\n1,冻土与气候变化的研究进展,2015\n2,水稻种植技术研究,2016\n"
TRADITIONAL = "編號,標題,年份\n1,凍土與氣候變化的研究進展,2015\n2,水稻種植技術研究,2016\n"
OWN = FieldMapping(id="编号", title="标题", fields={"year": "年份"})


def refusal(head: bytes, declared: InputFormat, **options: Any) -> SearchError:
    with pytest.raises(SearchError) as raised:
        check_beginning(head, declared, options.pop("mapping", FieldMapping()), **options)
    assert raised.value.status < 500
    return raised.value


def proposed(error: SearchError) -> FieldMapping:
    match = re.search(r"mapping=(\{.*\})", error.detail)
    assert match, error.detail
    return FieldMapping.model_validate(json.loads(match[1]))


@pytest.mark.parametrize(
    ("header", "own"),
    [
        ("编号,标题,年份", {"id": "编号", "title": "标题"}),
        ("论文编号,题名,摘要", {"id": "论文编号", "title": "题名", "text": "摘要"}),
        ("doc_id,headline,content,year", {"id": "doc_id", "title": "headline", "text": "content"}),
        ("id,题目,作者", {"title": "题目"}),
        ("编号,标题,名称", {"id": "编号", "title": "标题"}),
    ],
)
def test_columns_of_usual_names_are_taken(header: str, own: dict[str, str]) -> None:
    told = check_beginning(f"{header}\n1,2,3,4\n".encode(), CSV, FieldMapping())
    assert told.mapping == FieldMapping.model_validate(own)
    objects = f"{{{','.join(f'{json.dumps(name)}: 1' for name in header.split(','))}}}\n" * 2
    assert check_beginning(objects.encode(), JSONL, FieldMapping()).mapping == told.mapping
    assert check_table(stored(**{name: ["1"] for name in header.split(",")}), FieldMapping()) == (
        told.mapping
    )


def test_a_column_that_counts_the_rows_of_one_file_is_no_id_unasked() -> None:
    error = refusal("序号,题名\n1,冻土\n".encode(), CSV)
    assert proposed(error) == FieldMapping(id="序号", title="题名")
    check_beginning("序号,题名\n1,冻土\n".encode(), CSV, proposed(error))


@pytest.mark.parametrize("fields", [5, 1.5, True, "year", [1], {"year": 1}])
def test_a_mapping_whose_fields_name_none_is_refused(fields: object) -> None:
    with pytest.raises(ValidationError):
        FieldMapping.model_validate({"fields": fields})


def test_what_the_mapping_names_is_not_guessed() -> None:
    given = FieldMapping(id="题名")
    told = check_beginning("编号,题名,摘要\n1,a,b\n".encode(), CSV, given)
    assert told.mapping.named_otherwise() == {"id": "题名", "text": "摘要"}
    assert (
        "no nr" in refusal("编号,题名\n1,a\n".encode(), CSV, mapping=FieldMapping(id="nr")).detail
    )


@pytest.mark.parametrize(
    ("head", "declared", "says"),
    [
        (b"1,\xe5\x86\xbb\xe5\x9c\x9f\n2,b\n", CSV, "seems to be a row and no header"),
        ("冻土区的工程问题\n水稻种植\n".encode(), CSV, "format=lines"),
        (b",id,title\n0,1,a\n", CSV, "index=False"),
        (b"id;title\n1;a\n", CSV, "semicolons"),
        (b"id,title,title\n1,a,b\n", CSV, "twice"),
        (b'id,"title\n1,a\n', CSV, "not closed"),
        (b",,,\n1,a,b,c\n", CSV, "seems to be a row and no header"),
        (b"id,title,-year\n1,a,2\n", CSV, '"field_1": "-year"'),
        (b"id,title," + b",".join(b"c%d" % n for n in range(70)) + b"\n", CSV, "at most 64"),
        (b'{"nr":"1","title":"a"}\n{"nr":"2","title":"b"}\n', JSONL, "there is no id"),
        (b'{"id":"1","title":"a","m":{"x":1}}\n{"id":"2","title":"b","m":{}}', JSONL, "column m"),
        (b"TY  - JOUR\nTI  - A title\nAU  - Wang\nER  - \n", LINES, "RIS"),
        (b"\xef\xbb\xbfTY  - JOUR\r\nT1  - x\r\nA1  - y\r\nJO  - z\r\nER  - \r\n", LINES, "RIS"),
        (b"@article{key,\n  title = {A},\n  year = 2015\n}\n", LINES, "BibTeX"),
        (b"%0 Journal Article\n%A Wang\n%T Title\n%D 2015\n", LINES, "EndNote"),
        (b"{Reference Type}: Journal Article\n{Title}: x\n{Author}: y\n", LINES, "NoteExpress"),
        (b"RT Journal Article\nSR 1\nA1 Wang\nT1 Title\n", LINES, "RefWorks"),
        (b"TY  - JOUR\nTI  - A title\nAU  - Wang\nER  - \n", CSV, "RIS"),
        ("SrcDatabase-来源库: 期刊\nTitle-题名: 冻土\nAuthor-作者: 张\n".encode(), LINES, "CNKI"),
        (b"PMID- 1\nOWN - NLM\nTI  - Frozen ground\nAB  - x\n", LINES, "PubMed"),
        (b"FN Clarivate\nVR 1.0\nPT J\nTI a\nER\n", LINES, "Web of Science"),
        (b"<!doctype html>\n<p>a\n", LINES, "HTML"),
        (b"\xef\xbb\xbf\n<HTML><body>\n", LINES, "HTML"),
        (b"<?XML version='1.0'?>\n", CSV, "XML"),
        (rb"{\rtf1\ansi text}", LINES, "RTF"),
        (b'{"id":"1","title":"a"}\n{"id":"2","title":"b"}\n', LINES, "format=jsonl"),
        (b'[{"id":"1","title":"a"},\n{"id":"2","title":"b"}]\n', LINES, "format=jsonl"),
        (b'[\n  {\n    "id": "1"\n  }\n]\n', LINES, "format=jsonl"),
        (b"id,title,year\n1,a,2015\n", LINES, "format=csv"),
        ("编号\t题名\n1\ta\n".encode(), LINES, "format=tsv"),
    ],
)
def test_what_the_first_lines_tell(head: bytes, declared: InputFormat, says: str) -> None:
    assert says in refusal(head, declared).detail


@pytest.mark.parametrize(
    ("head", "declared"),
    [
        (b"id,title,,\n1,a,,\n", CSV),
        (b"id,title\r1,a\r2,b\r", CSV),
        (b"\xef\xbb\xbfid,title\r\n1,a\r\n", CSV),
        (b'"id","title"\n"1","a ""b"""\n', CSV),
        (b"id\ttitle\n1\ta\n", TSV),
        (b"@ the beginning of a text\nanother text\n", LINES),
        (b"ID  - is no tag by itself\nanother text\nmore\nand more", LINES),
        ("[注]冻土的定义\n{集合}论, 题名\nid, ego and superego\n".encode(), LINES),
        (b"<p> is a tag\nPMID - no\n", LINES),
        (b'{"id":"1","title":"a","m":{"x":1}}\n{"id":"2","title":"b"}', JSONL),
        (b'{"title":"no id"}\n{"id":"2","title":"b"}', JSONL),
        (b'{"id":"1","title":"a","fields":{"year":1}}\n' * 2, JSONL),
    ],
)
def test_what_can_be_read_is_taken(head: bytes, declared: InputFormat) -> None:
    check_beginning(head, declared, FieldMapping())


@pytest.mark.parametrize(
    ("text", "charset"),
    [(CHINESE, "gb18030"), (CHINESE, "gbk"), (TRADITIONAL, "big5")],
)
def test_another_charset_is_recognised_and_a_declared_one_wins(text: str, charset: str) -> None:
    head, declared = text.encode(charset), Charset(charset)
    mapping = FieldMapping()
    assert check_beginning(head, CSV, mapping).charset is declared
    assert check_beginning(head, CSV, mapping, declared).charset is declared
    with as_utf8(io.BytesIO(head), declared) as stream:
        assert stream.read().decode() == text
    wrong = refusal(head, CSV, mapping=mapping, charset=Charset.UTF8)
    assert isinstance(wrong, UnsupportedFormat)
    assert f"seems to be {declared.upper()}" in wrong.detail


def test_utf16_without_a_mark_is_recognised_by_its_zeros() -> None:
    head = "id,title\n1,frozen soil 冻土\n".encode("utf-16-le")
    assert check_beginning(head, CSV, FieldMapping()).charset is Charset.UTF16


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("id,title,摘要\n1,冻土,路基\n", ""),  # the bytes of 摘要 are UTF-8 by accident
        ("编号,题名,摘要\n1,冻土,路基\n", ""),
        ("id,title\n1,摘要\n2,摘要\n3,冻土与气候变化\n", ""),
        ("id,title\n1,冻土\n", "2,摘要\n"),
    ],
)
def test_a_charset_is_recognised_although_some_of_its_lines_are_utf8(
    text: str, others: str
) -> None:
    assert likely_charset((text + others).encode("gb18030")) is Charset.GB18030


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("한국어 논문 검색 시스템에 관한 연구와 동토의 변형\n", "euc_kr"),
        ("日本語の論文検索システムに関する研究、凍土の変形\n", "euc_jp"),
        ("日本語の論文検索システムに関する研究、凍土の変形\n", "shift_jis"),
        ("Исследование деформации мерзлых грунтов\n", "koi8_r"),
    ],
)
def test_another_language_is_not_taken_for_chinese(text: str, charset: str) -> None:
    assert check_beginning(text.encode(charset), LINES, FieldMapping()).charset is None


def test_a_header_that_is_utf8_by_accident_is_told_with_what_it_should_read() -> None:
    """All of the file is UTF-8, and nothing else tells that it is not meant to be."""
    said = refusal("id,title,摘要\n1,a,b\n".encode("gb18030"), CSV).detail
    assert "should read 摘要" in said
    assert "charset=gb18030" in said
    for word in ("год", "имя", "café", "Größe", "α"):
        check_beginning(f"id,title,{word}\n1,a,b\n".encode(), CSV, FieldMapping())


@pytest.mark.parametrize(
    "head",
    [
        "café\nnaïve\n".encode() + "Général\n".encode("latin-1"),
        "冻土\n水稻种植\n".encode() + "冻土与气候变化\n".encode("gb18030"),
        "冻土与气候变化\n".encode("gb18030") * 9 + "冻土\n".encode(),
    ],
)
def test_lines_in_utf8_keep_a_mixed_file_in_utf8(head: bytes) -> None:
    check_beginning(head, LINES, FieldMapping())


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_charset(codec: str) -> None:
    told = check_beginning(CHINESE.encode(codec), CSV, OWN).charset
    assert told is (Charset.UTF16 if codec == "utf-16" else None)
    with as_utf8(io.BytesIO(CHINESE.encode(codec)), Charset.UTF8) as stream:
        assert stream.read().decode("utf-8-sig") == CHINESE


def test_a_wrong_charset_is_refused() -> None:
    assert "cannot be read" in refusal(CHINESE.encode(), CSV, charset=Charset.BIG5).detail
    error = refusal("id,titré\n1,a\n".encode("latin-1"), CSV)
    assert "header is not UTF-8" in error.detail


def test_a_bad_byte_in_one_line_does_not_condemn_a_file() -> None:
    check_beginning("一行\n二行\n".encode() + b"\xff\xfe\n", LINES, FieldMapping())


def stored(**columns: Any) -> io.BytesIO:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    sink.seek(0)
    return sink


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"no": ["1"], "title": ["a"]}, '"id": "no"'),
        ({"id": [1.0], "title": ["a"]}, "decimal numbers"),
        ({"id": ["1"], "title": ["a"], "m": [{"x": 1}]}, "column m holds objects"),
        ({"id": ["1"], "title": ["a"], "m": [[["x"]]]}, "lists of lists"),
        ({"id": ["1"], "title": ["a"], "m": [b"x"]}, "holds bytes"),
        ({"id": ["1"], "title": ["a"], "*year": [2015]}, '"field_1": "*year"'),
    ],
)
def test_the_schema_of_a_table_is_checked(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_table(stored(**columns), FieldMapping())
    assert says in raised.value.detail


def test_a_fitting_table_is_taken() -> None:
    check_table(stored(id=[1], title=["a"], tags=[["x"]], year=[2015.5]), FieldMapping())
    check_table(stored(id=["1"], title=["a"], fields=[{"x": 1}]), FieldMapping())
    chosen = FieldMapping(fields=["year"])
    check_table(stored(id=["1"], title=["a"], year=[1], m=[{"x": 1}]), chosen)
