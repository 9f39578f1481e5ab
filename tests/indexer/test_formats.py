"""Readers of the input formats, line by line."""

import codecs
import gzip
import io
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from services.common.errors import InvalidRequest, UnsupportedFormat
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.compression import decompressed
from services.indexer.intake.formats import READERS
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import MAX_LINE_BYTES, BadInput, Record
from services.indexer.intake.sniff import check_beginning, check_table
from tests.indexer.planning import Case, about


def read(kind: InputFormat, content: bytes) -> list[Record]:
    with decompressed(io.BytesIO(content)) as stream:
        return list(READERS[kind](stream, about(kind)))


def values(kind: InputFormat, content: bytes) -> list[object]:
    return [record.values for record in read(kind, content)]


def test_jsonl_keeps_line_numbers_over_blank_lines_and_a_byte_order_mark() -> None:
    records = read(InputFormat.JSONL, b'\xef\xbb\xbf{"id":"a"}\r\n\n{"id":"b"}')
    assert [(record.line, record.values) for record in records] == [
        (1, {"id": "a"}),
        (3, {"id": "b"}),
    ]


@pytest.mark.parametrize(
    ("form", "one"),
    [
        (InputFormat.JSONL, '{{"id": "{0}", "title": "甲"}}\n'),
        (InputFormat.LINES, "甲{0}\n"),
        (InputFormat.CSV, "{0},甲\n"),
        (InputFormat.RIS, "TY  - JOUR\nID  - {0}\nTI  - 甲\nER  - \n"),
        (InputFormat.BIBTEX, "@misc{{{0}, title={{甲}}}}\n"),
    ],
)
def test_files_with_marks_that_were_joined_lose_no_record(form: InputFormat, one: str) -> None:
    """Editors on Windows begin a file with a byte order mark, and `cat` leaves it where it is."""
    header = "id,title\n" if form is InputFormat.CSV else ""
    content = codecs.BOM_UTF8.join(
        [b"", (header + one.format("a")).encode(), one.format("b").encode()]
    )
    key, wanted = ("text", ["甲a", "甲b"]) if form is InputFormat.LINES else ("id", ["a", "b"])
    found = read(form, content)
    assert [record.values and record.values[key] for record in found] == wanted


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "not JSON"),
        (b'["a"]', "not a JSON object"),
        (b'{"id": NaN}', "NaN"),
        (b'{"id": "\xff"}', "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_line_is_one_problem_and_the_next_line_is_read(line: bytes, reason: str) -> None:
    check_bad_line(line, reason)


@pytest.mark.parametrize("form", [InputFormat.JSONL, InputFormat.JSON])
def test_an_integer_of_any_length_costs_its_own_object(tmp_path: Path, form: InputFormat) -> None:
    """Python reads none of more than 4,300 digits."""
    objects = ['{"id": "a", "title": "t", "n": ' + "9" * 5_000 + "}", '{"id": "b", "title": "t"}']
    content = f"[{','.join(objects)}]" if form is InputFormat.JSON else "\n".join(objects)
    case = Case(tmp_path, content.encode(), format=form)
    assert [one.document.id for one in case.documents(case.plan())] == ["b"]
    [rejected] = case.rejected()
    assert (rejected.line, "beyond 64 bits" in rejected.reason) == (1, True)


@pytest.mark.parametrize(
    ("behind", "element", "why"),
    [
        (b"", 2, "it ends there"),
        (b" \n", 2, "it ends there"),
        (b"{}", 2, "a comma is missing"),
        (b",", 2, "it ends there"),
        (b', {"id"', 2, "Expecting ':' delimiter"),
        (b', {"id": "c"} x', 3, "a comma is missing"),
    ],
)
def test_a_damaged_array_names_its_last_whole_element(
    behind: bytes, element: int, why: str
) -> None:
    content = b'[{"id": "a"}, {"id": "b"}' + behind
    with pytest.raises(BadInput, match=f"behind element {element}: {why}"):
        read(InputFormat.JSON, content)


def test_a_deep_line_is_rejected_in_words() -> None:
    [record] = read(InputFormat.JSONL, b'{"a": ' + b"[" * 5_000)
    assert record.problem == "is not JSON: it is nested too deeply"


def test_too_long_a_line_is_one_problem_and_the_next_line_is_read() -> None:
    check_bad_line(b'{"id": "' + b"x" * MAX_LINE_BYTES + b'"}', "longer than 16 MiB")


def check_bad_line(line: bytes, reason: str) -> None:
    bad, good = read(InputFormat.JSONL, line + b'\n{"id":"next"}\n')
    assert bad.values is None
    assert reason in bad.problem
    assert (good.line, good.values) == (2, {"id": "next"})


@pytest.mark.parametrize("form", [InputFormat.CSV, InputFormat.TSV, InputFormat.PARQUET])
@pytest.mark.parametrize("again", [False, True])
def test_a_table_of_many_columns_is_refused_at_once(form: InputFormat, again: bool) -> None:
    """A matrix of genes has 20,000 of them; each name was once compared with every other one."""
    names = ["id", "title", *(f"gene{number}" for number in range(30_000))] * (1 + again)
    if form is InputFormat.PARQUET:
        sink = io.BytesIO()
        parquet.ParquetWriter(sink, pa.schema([(name, pa.string()) for name in names])).close()
        check: Callable[[], object] = partial(check_table, sink, FieldMapping())
    else:
        header = form.delimiter.join(names).encode()
        check = partial(check_beginning, header, form, FieldMapping())
    begin = time.process_time()
    with pytest.raises(InvalidRequest, match="twice" if again else "at most 64") as refusal:
        check()
    assert time.process_time() - begin < 3
    assert len(refusal.value.detail) < 1_000


def test_a_damaged_line_among_many_is_looked_at_at_once() -> None:
    lines = [f"{number},中文标题".encode() for number in range(25_000)]
    lines[10] = b"10,\xff\xfe"
    begin = time.process_time()
    recognised = check_beginning(b"id,title\n" + b"\n".join(lines), InputFormat.CSV, FieldMapping())
    assert time.process_time() - begin < 3
    assert recognised.charset is None  # It is UTF-8, and the line is rejected by itself.


def test_csv_with_quotes_newlines_and_empty_cells() -> None:
    content = 'id,title,year\n1,"一,\n二",2015\n2,三,\n'.encode()
    assert [(record.line, record.values) for record in read(InputFormat.CSV, content)] == [
        (3, {"id": "1", "title": "一,\n二", "year": "2015"}),
        (4, {"id": "2", "title": "三"}),
    ]


def test_csv_rows_that_do_not_fit_are_problems_of_their_own() -> None:
    content = b"id,title\n1,a,b\n2\n\xff,x\n3,ok\n"
    records = read(InputFormat.CSV, content)
    assert [record.values for record in records] == [None, None, None, {"id": "3", "title": "ok"}]
    assert "3 cells where the header has 2" in records[0].problem
    assert "not UTF-8" in records[2].problem


def test_an_open_quote_does_not_swallow_the_rest_of_a_large_file() -> None:
    filler = b"".join(b"%d,text\n" % n for n in range(20_000))
    records = read(InputFormat.CSV, b'id,title\n1,"open\n' + filler)
    assert records[0].values is None
    assert "quote" in records[0].problem
    assert records[-1].values == {"id": "19999", "title": "text"}


def test_tsv_takes_quotes_as_they_are() -> None:
    assert values(InputFormat.TSV, b'id\ttitle\n1\t"half\n') == [{"id": "1", "title": '"half'}]


def test_lines_get_an_id_from_their_text() -> None:
    first, other, again = values(InputFormat.LINES, "一\n二\n一\n".encode())
    assert first == again
    assert first != other


def test_parquet_rows() -> None:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"id": ["a", "b"], "year": [1, None]}), sink)
    assert values(InputFormat.PARQUET, sink.getvalue()) == [
        {"id": "a", "year": 1},
        {"id": "b", "year": None},
    ]


def test_damaged_parquet_is_bad_input() -> None:
    with pytest.raises(BadInput, match="Parquet"):
        read(InputFormat.PARQUET, b"PAR1 and nothing more")


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_compressed_input_is_recognised_and_damage_is_told(compress: object) -> None:
    assert callable(compress)
    packed = compress(b'{"id":"a"}\n' * 5000)
    assert len(values(InputFormat.JSONL, packed)) == 5000
    with pytest.raises(BadInput, match="damaged"):
        read(InputFormat.JSONL, packed[: len(packed) // 2])


@pytest.mark.parametrize(
    ("head", "declared", "says"),
    [
        (b"%PDF-1.7", InputFormat.JSONL, "PDF"),
        (b'[{"id": 1}]', InputFormat.JSONL, "JSON array"),
        (b"id,title\n1,a\n", InputFormat.JSONL, "csv"),
        (b'{"id": 1}', InputFormat.CSV, "jsonl"),
        (b"id\ttitle\n", InputFormat.CSV, "tsv"),
        (b"PAR1....", InputFormat.JSONL, "Parquet"),
        (b'{"id": 1}', InputFormat.PARQUET, "not parquet"),
        (gzip.compress(b"%PDF-1.7", mtime=0), InputFormat.JSONL, "PDF"),
        (b"a\x00b", InputFormat.LINES, "binary"),
    ],
)
def test_a_wrong_format_is_refused_by_its_first_bytes(
    head: bytes, declared: InputFormat, says: str
) -> None:
    with pytest.raises(UnsupportedFormat, match=says):
        check_beginning(head, declared, FieldMapping())


@pytest.mark.parametrize(
    "content", [b"sep=,\r\nid,\xc3\xfbx\x81\r\n1,a\r\n", b'id,"a\n\xff",title\n1,a,b\n']
)
def test_a_header_behind_the_first_line_that_is_not_utf8_is_told(content: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="header is not UTF-8"):
        check_beginning(content, InputFormat.CSV, FieldMapping())


@pytest.mark.parametrize("form", [InputFormat.JSONL, InputFormat.JSON])
@pytest.mark.parametrize("value", ['"x"', '{"x": 1}'])
def test_a_name_with_half_a_character_costs_its_own_objects(
    tmp_path: Path, form: InputFormat, value: str
) -> None:
    objects = [f'{{"id": {n}, "title": "甲", "n\\ud800": {value}}}' for n in range(2)]
    text = f"[{','.join(objects)}]" if form is InputFormat.JSON else "\n".join(objects)
    check_beginning(text.encode(), form, FieldMapping())
    kept = text.replace(objects[1], '{"id": 3, "title": "乙"}')
    case = Case(tmp_path, kept.encode(), format=form)
    assert [item.document.id for item in case.documents(case.plan())] == ["3"]
    [rejected] = case.rejected()
    assert rejected.reason.startswith("fields")


def test_bad_first_lines_do_not_condemn_a_jsonl_file() -> None:
    check_beginning(b'oops\n{"id": "a"}\n', InputFormat.JSONL, FieldMapping())


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(InvalidRequest, match="nr, title; there is no id"):
        check_beginning(b"nr,title\n", InputFormat.CSV, FieldMapping())
    check_beginning(b"nr,title\n", InputFormat.CSV, FieldMapping(id="nr"))
