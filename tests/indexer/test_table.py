"""Parquet: names of columns with spaces around them, and values that cannot be read."""

import base64
import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from pyarrow import parquet

from services.common.errors import InvalidRequest
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput, Record
from services.indexer.intake.sniff import check_table
from services.indexer.intake.table import columns, table
from tests.indexer.papers import zipped
from tests.indexer.planning import DIMENSION, Case


def written(**named: Any) -> bytes:
    return of_columns(list(named), list(named.values()))


def of_columns(names: list[str], values: list[Any]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(values, names=names), sink)
    return sink.getvalue()


def rows(content: bytes, vector: str | None = None) -> list[Record]:
    return list(table(io.BytesIO(content), vector))


def test_spaces_around_the_name_of_a_column_are_not_part_of_it(tmp_path: Path) -> None:
    vectors = [[1.0] + [0.0] * (DIMENSION - 1)] * 2
    names = ["id ", " title", "year\u3000", "\tvector\n"]
    content = of_columns(names, [["1", "2"], ["a", "b"], [2015, 2016], vectors])
    assert list(columns(io.BytesIO(content))) == ["id", "title", "year", "vector"]
    mapping = check_table(io.BytesIO(content), FieldMapping(fields=["year"], vector="vector"))
    case = Case(tmp_path, content, format=InputFormat.PARQUET, mapping=mapping)
    documents = [item.document for item in case.documents(case.plan())]
    assert [(each.id, each.title, each.fields) for each in documents] == [
        ("1", "a", {"year": 2015}),
        ("2", "b", {"year": 2016}),
    ]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["id", "title", "title"], "the column title twice; rename one"),
        (["id", "title", "title "], "the column title twice; rename one"),
        (["id\u3000", "title", "id"], "the column id twice; rename one"),
        (["id", "title", ""], "column 3 .* has no name"),
        (["id", "title", " "], "column 3 .* has no name"),
        ([" ", "id", "title"], "column 1 .* has no name"),
    ],
)
def test_a_name_that_two_columns_have_or_one_lacks_is_told(
    tmp_path: Path, names: list[str], says: str
) -> None:
    content = of_columns(names, [["1"], ["2"], ["3"]])
    with pytest.raises(InvalidRequest, match=says):
        check_table(io.BytesIO(content), FieldMapping())
    with pytest.raises(BadInput, match=says):
        rows(content)
    files = {"bad.parquet": content, "good.jsonl": b'{"id": "1", "title": "a"}\n'}
    case = Case(tmp_path, zipped(files), format=InputFormat.ZIP)
    plan = case.plan()
    assert (plan.documents, plan.rejected) == (1, 1)
    assert re.search(says, case.rejected()[0].reason)


def not_utf8() -> pa.Array:
    """Three texts, of which the second is not UTF-8 and the others are absent."""
    ends = b"".join(end.to_bytes(4, "little") for end in (0, 0, 1, 1))
    buffers = [pa.py_buffer(each) for each in (b"\x02", ends, b"\xff")]
    return pa.Array.from_buffers(pa.string(), 3, buffers)


def _times(unit: str, zone: str | None, value: int = 0) -> pa.Array:
    return pa.array([None, value, None], pa.timestamp(unit, zone))


def _viewed(value: int, whole: Any, kind: Any) -> pa.Array:
    return pa.array([0, value, 0], whole).view(kind)


HUGE = 2**62
UNREADABLE: dict[str, pa.Array] = {
    "a zone of no such place": _times("us", "Asia/Beijing"),
    "a zone of no such place, in nanoseconds": _times("ns", "Asia/Beijing"),
    "a zone that is a folder": _times("us", "Asia"),
    "a zone that is a path": _times("us", "../../etc/passwd"),
    "a zone of 99 hours": _times("us", "+99:99"),
    "a zone in Chinese": _times("us", "北京"),
    "a zone in a list": pa.array([None, [0], None], pa.list_(pa.timestamp("us", "Asia/Beijing"))),
    "a zone in an object": pa.array(
        [None, {"a": 0}, None], pa.struct([("a", pa.timestamp("us", "Asia/Beijing"))])
    ),
    "a time after the year 9999": _times("ms", None, HUGE),
    "a time before the year 1": _times("ms", None, -HUGE),
    "a time after the year 9999 in its zone": _times("us", "Asia/Shanghai", 253402300799999999),
    "a time before the year 1 in its zone": _times("us", "America/New_York", -62135596800000000),
    "a day after the year 9999": _viewed(2**31 - 1, pa.int32(), pa.date32()),
    "a day before the year 1": _viewed(-(2**31), pa.int32(), pa.date32()),
    "a day after the year 9999, in 64 bits": _viewed(
        HUGE - HUGE % 86_400_000, pa.int64(), pa.date64()
    ),
    "a time of day of many hours": _viewed(HUGE, pa.int64(), pa.time64("us")),
    "a long duration": _viewed(HUGE, pa.int64(), pa.duration("s")),
    "a text that is not UTF-8": not_utf8(),
    "a text in a list that is not UTF-8": pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 3], pa.int32()), not_utf8()
    ),
    "JSON that is not UTF-8": pa.ExtensionArray.from_storage(pa.json_(), not_utf8()),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_value_that_cannot_be_read_costs_its_row_only(what: str) -> None:
    content = written(id=["1", "2", "3"], title=["a", "b", "c"], when=UNREADABLE[what])
    first, second, third = rows(content)
    assert (first.problem, third.problem) == ("", "")
    assert [each.values and each.values["id"] for each in (first, third)] == ["1", "3"]
    assert second == Record(
        2,
        None,
        "has a value in when that cannot be read as text, number or date",
        '{"id": "2", "title": "b"}',
    )


def test_a_zone_whose_name_is_no_text_is_told_in_each_row() -> None:
    content = written(id=["1", "2", "3"], when=_times("ns", "Zone/Unknown"))
    [kept] = re.findall(rb"/////[A-Za-z0-9+/]+=*", content)
    schema = base64.b64decode(kept).replace(b"Unknown", b"Unkn\xffwn")
    damaged = content.replace(kept, base64.b64encode(schema))
    assert [each.problem[:19] for each in rows(damaged)] == ["has a value in when"] * 3


def test_decimals_of_every_size_are_read() -> None:
    digits = [Decimal("9" * 76), Decimal("0." + "3" * 76), Decimal("1.5")]
    wide = [pa.array([each], pa.decimal256(76, 76 if each < 1 else 0)) for each in digits[:2]]
    content = written(id=["1"], large=wide[0], small=wide[1], usual=[digits[2]])
    assert rows(content)[0].values == {
        "id": "1",
        "large": int("9" * 76),
        "small": "0." + "3" * 76,
        "usual": 1.5,
    }


def test_json_of_every_depth_is_read_or_told(tmp_path: Path) -> None:
    """There is a depth at which a text can just be read and no longer be written."""
    depths = range(900, 1_010)
    texts = [f'{{"a":{"[" * depth}{"]" * depth}}}' for depth in depths]
    fields = pa.ExtensionArray.from_storage(pa.json_(), pa.array([*texts, '{"a":1}']))
    ids = [str(number) for number in range(len(fields))]
    content = written(id=ids, title=ids, fields=fields)
    case = Case(tmp_path, content, 1_000, format=InputFormat.PARQUET)
    plan = case.plan()
    assert (plan.documents, plan.rejected) == (1, len(depths))


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_value_that_the_mapping_leaves_out_costs_nothing(tmp_path: Path, what: str) -> None:
    ids = ["1", "2", "3"]
    content = written(id=ids, title=ids, when=UNREADABLE[what], year=[2015] * 3)
    mapping = check_table(io.BytesIO(content), FieldMapping(fields=["year"]))
    case = Case(tmp_path, content, format=InputFormat.PARQUET, mapping=mapping)
    documents = [item.document for item in case.documents(case.plan())]
    assert [(each.id, each.fields) for each in documents] == [(one, {"year": 2015}) for one in ids]


def test_a_column_is_left_out_by_its_whole_name(tmp_path: Path) -> None:
    names = ["id", "title", "a.b", "a", "a.when ", " c"]
    values = [["1"], ["t"], ["dotted"], ["plain"], [b"\xff"], ["spaced"]]
    content = of_columns(names, values)
    for fields, wanted in (
        (["a"], {"a": "plain"}),
        (["a.b", "c"], {"a.b": "dotted", "c": "spaced"}),
        ([], {}),
    ):
        mapping = check_table(io.BytesIO(content), FieldMapping(fields=fields))
        case = Case(
            tmp_path / str(len(wanted)), content, format=InputFormat.PARQUET, mapping=mapping
        )
        [planned] = case.documents(case.plan())
        assert planned.document.fields == wanted


NAMED = UUID("f483d89b-9dcc-4231-a1d5-14f4f55a63db")


def test_uuids_are_texts(tmp_path: Path) -> None:
    uuids = pa.array([NAMED.bytes], pa.uuid())
    several = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), uuids)
    content = written(id=uuids, title=["a"], of=uuids, all=several)
    mapping = check_table(io.BytesIO(content), FieldMapping())
    case = Case(tmp_path, content, format=InputFormat.PARQUET, mapping=mapping)
    [planned] = case.documents(case.plan())
    assert planned.document.id == str(NAMED)
    assert planned.document.fields == {"of": str(NAMED), "all": [str(NAMED)]}


def _in_lists(values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), values)


FIT: dict[str, tuple[pa.Array, str]] = {
    "bytes": (pa.array([b"a"]), "holds bytes"),
    "large bytes": (pa.array([b"a"], pa.large_binary()), "holds bytes"),
    "views of bytes": (pa.array([b"a"], pa.binary_view()), "holds bytes"),
    "bytes of one length": (pa.array([b"ab"], pa.binary(2)), "holds bytes"),
    "bytes by number": (pa.array([b"a"]).dictionary_encode(), "holds bytes"),
    "lists of bytes": (pa.array([[b"a"]]), "holds lists of bytes"),
    "lists of bytes of one length": (_in_lists(pa.array([b"ab"], pa.binary(2))), "of bytes"),
    "durations": (pa.array([1], pa.duration("s")), "holds durations"),
    "lists of durations": (_in_lists(pa.array([1], pa.duration("s"))), "holds lists of durations"),
    "lists of lists": (pa.array([[[1]]]), "holds lists of lists or objects"),
    "lists of JSON": (
        _in_lists(pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"]))),
        "holds lists of lists or objects",
    ),
    "objects": (pa.array([{"a": 1}]), "holds objects"),
    "pairs": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "holds objects"),
    "an unknown kind of bytes": (
        pa.ExtensionArray.from_storage(pa.opaque(pa.binary(), "x", "y"), pa.array([b"a"])),
        "holds bytes",
    ),
    "an unknown kind of text": (
        pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "x", "y"), pa.array(["a"])),
        "",
    ),
    "views of text": (pa.array(["a"], pa.string_view()), ""),
    "views of lists": (pa.array([["a"]], pa.list_view(pa.string())), ""),
    "true and false in bytes": (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
        "",
    ),
    "texts by number": (pa.array(["a"]).dictionary_encode(), ""),
}


@pytest.mark.parametrize("what", FIT)
def test_a_kind_of_column_is_refused_at_submission_or_read(tmp_path: Path, what: str) -> None:
    values, refused = FIT[what]
    content = written(id=["1"], title=["a"], x=values)
    if refused:
        with pytest.raises(InvalidRequest, match=f"column x .*{refused}"):
            check_table(io.BytesIO(content), FieldMapping())
        return
    case = Case(tmp_path, content, format=InputFormat.PARQUET)
    plan = case.plan()
    assert (plan.documents, plan.rejected) == (1, 0), case.rejected()
