"""CSV and TSV: no row is lost to a quote, and numbers are decided by column."""

import codecs
import csv
import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.wire.input_formats import InputFormat
from services.indexer.intake.columns import ColumnKinds
from services.indexer.intake.delimited import delimited
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import Record
from services.indexer.intake.sniff import check_beginning
from tests.indexer.planning import Case


def records(content: bytes, delimiter: str = ",") -> list[Record]:
    return list(delimited(io.BytesIO(content), delimiter, "id"))


def ids(content: bytes) -> list[str]:
    return [record.values["id"] for record in records(content) if record.values]


def problems(content: bytes) -> dict[int, str]:
    return {record.line: record.problem for record in records(content) if record.problem}


def test_a_stray_quote_costs_its_own_row_and_is_told() -> None:
    content = b'id,title\n1,a\n2,"b\n3,c\n4,d"\n5,e\n'
    assert ids(content) == ["1", "3", "4", "5"]
    [(line, problem)] = problems(content).items()
    assert line == 3
    assert "quote" in problem
    assert "line 5" in problem


def test_a_quote_that_is_never_closed_loses_no_other_row() -> None:
    rows = b"".join(b"%d,text %d\n" % (n, n) for n in range(3_000))
    place = rows.index(b"\n1500,") + len(b"\n1500,")
    content = b"id,title\n" + rows[:place] + b'"' + rows[place:]
    assert len(ids(content)) == 2_999
    assert list(problems(content)) == [1_502]


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b'id,title\n1,"a\nb"\n2,c\n', ["1", "2"]),
        (b'id,title,n\n1,"first, then\nsecond, last",5\n2,c,6\n', ["1", "2"]),
        (b'id,title\n1,"say ""yes""\n\nand go"\n2,c\n', ["1", "2"]),
        (b'id,title\nd-1,"one, two\nthree, four"\nd-2,c\n', ["d-1", "d-2"]),
    ],
)
def test_cells_that_hold_lines_are_read_whole(content: bytes, read: list[str]) -> None:
    assert ids(content) == read
    assert not problems(content)


def test_a_cut_off_last_cell_is_one_rejection() -> None:
    content = b'id,title\n1,a\n2,"a text of\nseveral lines that\nends in the middle'
    assert ids(content) == ["1"]
    assert list(problems(content)) == [3]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_is_one(end: bytes) -> None:
    content = end.join([b"id,title", b"1,a", b"2,b", b""])
    assert ids(content) == ["1", "2"]
    assert [record.line for record in records(content)] == [2, 3]


def test_mixed_line_ends_lose_no_row() -> None:
    assert ids(b"id,title\r1,a\r\n2,b\n3,c\r4,d") == ["1", "2", "3", "4"]


@pytest.mark.parametrize("between", [b"", b"\r\n", codecs.BOM_UTF8])
def test_a_header_that_comes_again_is_no_document(between: bytes) -> None:
    """`cat` puts tables together with their headers."""
    first, second = b"id,title,year\n1,a,2001\n", b"id, title ,year\n2,b,2002\n"
    content = first + between + second
    assert ids(content) == ["1", "2"]
    line = 4 if between == b"\r\n" else 3
    assert problems(content) == {line: "repeats the header"}


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize(
    "above", ["\n", "\r\n \r\n", "{0}{0}\n", "sep={0}\r\n", "\ufeffsep={0}\n\n"]
)
def test_lines_without_a_value_above_the_header_are_skipped(above: str, delimiter: str) -> None:
    """Excel writes such lines for empty rows, and one that names the delimiter."""
    lines = [
        above.format(delimiter),
        *(delimiter.join(row) + "\n" for row in (("id", "title"), ("1", "甲"))),
    ]
    content = "".join(lines).encode()
    kind = InputFormat.CSV if delimiter == "," else InputFormat.TSV
    assert check_beginning(content, kind, FieldMapping()).mapping == FieldMapping()
    [record] = delimited(io.BytesIO(content), delimiter, "id")
    assert record.values == {"id": "1", "title": "甲"}
    assert record.line == len("".join(lines).splitlines())


def test_what_spreadsheets_add_is_no_row_and_no_column() -> None:
    content = b"id,title,,\n1,a,,\n,,,\n\n2,b,,,,\n3,c\n"
    assert ids(content) == ["1", "2", "3"]
    assert problems(b"id,title,,\n1,a,x,\n") == {2: "has 3 cells where the header has 2"}
    assert "column 2, which has no name" in problems(b"id,,title\n1,x,a\n")[2]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)


@given(st.lists(st.tuples(st.integers(0, 9_999), cells, cells), max_size=6))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[int, str, str]]) -> None:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["id", "title", "note"])
    writer.writerows(rows)
    read = records(sink.getvalue().encode())
    # A cell that looks like rows may be told; what is read is what was written.
    written = [{"id": str(n), "title": a, "note": b} for n, a, b in rows]
    whole = [{name: cell for name, cell in row.items() if cell} for row in written]
    if not any("\n" in cell for _, *pair in rows for cell in pair):
        assert [record.values for record in read] == whole
    else:
        assert all(record.values in whole or record.problem for record in read[:1])


def kinds(*values: object, **declared: str) -> list[object]:
    column = ColumnKinds(declared)
    column.look(iter(Record(1, {"c": value}) for value in values), lambda: None, ())
    return [column.value("c", value) for value in values]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["12.30", "12.5"], [12.3, 12.5]),
        (["12.30", "7"], [12.3, 7.0]),
        (["2015", "2016"], [2015, 2016]),
        (["2015", "n/a", " 2016"], [2015, "n/a", 2016]),
        (["007", "12"], ["007", "12"]),
        (["1.1", "1.10", "1.2.3"], ["1.1", "1.10", "1.2.3"]),
        (["1,234", "5"], ["1,234", "5"]),
        (["1e5", "2e10"], ["1e5", "2e10"]),
        (["1e-05", "0.5"], [1e-05, 0.5]),
        (["-3", "0"], [-3, 0]),
        (["1" * 30, "5"], ["1" * 30, "5"]),
        (["9223372036854775807"], [9223372036854775807]),
        (["9223372036854775808"], ["9223372036854775808"]),
        (["10.1000/182", "10.5"], ["10.1000/182", 10.5]),
        (["a", "b", "3"], ["a", "b", "3"]),
        (["+8613800000000"], ["+8613800000000"]),
        (["true", "false"], ["true", "false"]),
        (["0.1234567890123456789"], ["0.1234567890123456789"]),
    ],
)
def test_a_column_has_one_kind(values: list[str], read: list[object]) -> None:
    given_kinds = kinds(*values)
    assert given_kinds == read
    assert [type(value) for value in given_kinds] == [type(value) for value in read]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (["007", 8, 9], ["007", "8", "9"]),
        (["a", "b", "c", 3, 1.5], ["a", "b", "c", "3", "1.5"]),
        ([2015, "n/a", "2016"], [2015, "n/a", 2016]),
        ([2015, 1.5, "7"], [2015.0, 1.5, 7.0]),
        (["007", True], ["007", True]),
    ],
)
def test_numbers_of_a_workbook_have_the_kind_of_their_column(
    values: list[object], read: list[object]
) -> None:
    """Excel holds some codes of a column as texts and others as numbers."""
    found = kinds(*values)
    assert [(type(value), value) for value in found] == [(type(value), value) for value in read]


def test_a_declared_kind_wins() -> None:
    assert kinds("1.10", "1.9", c="text") == ["1.10", "1.9"]
    assert kinds("12", 8, c="number") == [12, 8]
    with pytest.raises(ValueError, match="declared a number"):
        kinds("1", "x", c="number")


def test_both_prices_are_numbers_and_codes_stay_texts(tmp_path: Path) -> None:
    content = b"id,title,price,code\n01,a,12.30,007\n02,b,12.5,12\n03,c,9,13\n"
    case = Case(tmp_path, content, format=InputFormat.CSV)
    found = {item.document.id: item.document.fields for item in case.documents(case.plan())}
    assert found == {
        "01": {"price": 12.3, "code": "007"},
        "02": {"price": 12.5, "code": "12"},
        "03": {"price": 9.0, "code": "13"},
    }


def test_a_large_stray_quote_is_bounded() -> None:
    filler = b"".join(b"%d,%s\n" % (n, b"x" * 1_000) for n in range(3_000))
    content = b'id,title\n0,"open\n' + filler
    assert len(ids(content)) == 3_000
    assert list(problems(content)) == [2]


def test_a_line_of_many_quoted_cells_is_read_in_time() -> None:
    """A table in which all line ends were lost is one line of up to 16 MiB."""
    begin = time.process_time()
    [problem] = problems(b"id,title\n" + b'"1","x",' * 300_000).values()
    assert problem == "has 600000 cells where the header has 2"
    assert time.process_time() - begin < 3
