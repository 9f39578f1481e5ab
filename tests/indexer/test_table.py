"""Parquet: names of columns with spaces around them."""

import io
import re
from pathlib import Path
from typing import Any

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
