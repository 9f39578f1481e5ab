"""Planning: every line accounted for, parts clean, the last of each id kept."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.wire.input_formats import InputFormat
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput
from services.indexer.jobs.manifest import RejectionKind
from services.indexer.jobs.reasons import summary
from tests.indexer.installation import jsonl
from tests.indexer.planning import DIMENSION, Case


def test_the_last_line_of_an_id_wins_within_and_across_parts(tmp_path: Path) -> None:
    lines = [{"id": str(n % 5), "title": f"line {n}"} for n in range(12)]
    case = Case(tmp_path, jsonl(lines))
    plan = case.plan()
    assert (plan.read, plan.rejected, plan.deduplicated) == (12, 0, 7)
    found = {item.document.id: item.document.title for item in case.documents(plan)}
    assert found == {str(n % 5): f"line {n}" for n in range(12)}
    assert plan.documents == 5


def test_a_bad_last_line_does_not_replace_a_good_one(tmp_path: Path) -> None:
    case = Case(tmp_path, jsonl([{"id": "a", "title": "good"}, {"id": "a"}]))
    plan = case.plan()
    assert (plan.documents, plan.rejected, plan.deduplicated) == (1, 1, 0)


def test_each_rejected_line_has_its_number_and_reason(tmp_path: Path) -> None:
    content = jsonl(
        [
            {"id": "ok", "title": "t"},
            {"title": "no id"},
            {"id": "empty"},
            {"id": "big", "text": "字" * 30_000},
            {"id": "nested", "title": "t", "meta": {"a": 1}},
            {"id": ["list"], "title": "t"},
        ]
    )
    case = Case(tmp_path, content + b"\xff\n")
    plan = case.plan()
    assert (plan.read, plan.documents, plan.rejected) == (7, 1, 6)
    reasons = {item.line: item.reason for item in case.rejected()}
    assert list(reasons) == [2, 3, 4, 5, 6, 7]
    assert "no id" in reasons[2]
    assert "a text or a body" in reasons[3]
    assert "90,000 bytes" in reasons[4]
    assert "meta" in reasons[5]
    assert "UTF-8" in reasons[7]


def test_a_wrong_column_is_told_once_with_how_often(tmp_path: Path) -> None:
    """Nested values, nulls in lists, NaN: the same mistake in every row is one sentence."""
    mistakes: list[dict[str, Any]] = [
        {"tags": ["a", None]},
        {"tags": ["b", None]},
        {"n": {"a": 1}},
        {"n": {"b": []}},
        {"n": {}},
        {"big": 10**30},
        {"title": "长" * 2_000},
        {"title": "长" * 3_000},
        {"id": ".."},
        {"id": "."},
        {"id": 1.0},
        {"fields": [1]},
    ]
    rows = [{"id": f"r{n}", "title": "t"} | mistake for n, mistake in enumerate(mistakes)]
    case = Case(tmp_path, jsonl([{"id": "ok", "title": "t"}, *rows]))
    plan = case.plan()
    assert sum(kind.lines for kind in plan.kinds) == plan.rejected == 12
    assert [(kind.lines, kind.first) for kind in plan.kinds] == [
        *((3, 4), (2, 2), (2, 8), (2, 10), (1, 7), (1, 12), (1, 13))
    ]
    reasons = [kind.reason for kind in plan.kinds]
    assert reasons[-2:] == [
        "id: is a decimal number; send a text or an integer",
        "fields: a JSON object is needed",
    ]
    said = summary(plan.kinds)
    assert "3 times, first on line 4: fields.n: is an object" in said
    assert "2 times, first on line 2: fields.tags: is a list with a null in it" in said
    assert "Once, on line 7: fields.big: is an integer beyond 64 bits" in said


def test_a_file_of_the_same_mistake_fails_with_one_sentence(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": "t", "tags": [n, None]} for n in range(3_000)]
    with pytest.raises(BadInput, match=r"3,000 times, first on line 1: fields\.tags: is a list"):
        Case(tmp_path, jsonl(rows)).plan()


@pytest.mark.parametrize(
    ("line", "file", "place"),
    [
        (3, "", "on line 3"),
        (3_000, "a.csv", "on line 3,000 of a.csv"),
        (0, "a.pdf", "in a.pdf"),
        (0, "", "in the input"),
    ],
)
def test_a_reason_says_where_it_came_first(line: int, file: str, place: str) -> None:
    kind = RejectionKind(reason="is scanned", lines=1, first=line, file=file)
    assert summary([kind]) == f"Once, {place}: is scanned."
    twice = kind.model_copy(update={"lines": 2})
    assert summary([twice]) == f"2 times, first {place}: is scanned."


def test_kinds_of_reasons_are_bounded(tmp_path: Path) -> None:
    names = [f"f{chr(97 + n % 26) * (n // 26 + 1)}" for n in range(300)]
    rows: list[dict[str, object]] = [{"id": name, "title": "t", name: {}} for name in names]
    plan = Case(tmp_path, jsonl([{"id": "ok", "title": "t"}, *rows])).plan()
    assert plan.rejected == 300
    assert len(plan.kinds) == 100
    assert summary(plan.kinds).endswith("And 95 more kinds of reasons.")


def test_columns_are_mapped_and_the_others_become_fields(tmp_path: Path) -> None:
    content = b"key,abstract,year,code,note\n7,text,2015,007,\n"
    mapping = FieldMapping(id="key", text="abstract")
    case = Case(tmp_path, content, format=InputFormat.CSV, mapping=mapping)
    [item] = case.documents(case.plan())
    assert item.document.id == "7"
    assert item.document.text == "text"
    assert item.document.fields == {"year": 2015, "code": "007"}


def test_columns_in_chinese_become_fields_by_name(tmp_path: Path) -> None:
    content = "编号,标题,年份\n7,语言与文化,2015\n".encode()
    mapping = FieldMapping(id="编号", title="标题", fields={"year": "年份"})
    case = Case(tmp_path, content, format=InputFormat.CSV, mapping=mapping)
    [item] = case.documents(case.plan())
    assert (item.document.id, item.document.title) == ("7", "语言与文化")
    assert item.document.fields == {"year": 2015}


@pytest.mark.parametrize(
    ("kind", "content", "mapping", "fields"),
    [
        (InputFormat.CSV, "doi,title,y\n10.1/a,甲,3\n", {"id": "doi", "fields": ["doi", "y"]},
         {"doi": "10.1/a", "y": 3}),
        (InputFormat.CSV, "doi,title,y\n10.1/a,甲,3\n", {"id": "doi", "fields": {"name": "title"}},
         {"name": "甲"}),
        (InputFormat.CSV, "doi,title,y\n10.1/a,甲,3\n", {"id": "doi"}, {"y": 3}),
        (InputFormat.JSONL, '{"doi": "10.1/a", "title": "甲", "y": 3}\n',
         {"id": "doi", "fields": ["doi"]}, {"doi": "10.1/a"}),
        (InputFormat.RIS, "TY  - BOOK\nTI  - 甲\nDO  - 10.1000/a\nER  - \n", {"id": "doi"},
         {"type": "book", "doi": "10.1000/a"}),
        (InputFormat.BIBTEX, "@book{k, title={甲}, doi={10.1000/a}}\n", {"id": "doi"},
         {"type": "book", "doi": "10.1000/a"}),
    ],
)  # fmt: skip
def test_a_column_can_be_a_member_and_metadata(
    tmp_path: Path,
    kind: InputFormat,
    content: str,
    mapping: dict[str, Any],
    fields: dict[str, object],
) -> None:
    """The DOI as id is still the DOI that a citation shows."""
    case = Case(tmp_path, content.encode(), format=kind, mapping=FieldMapping(**mapping))
    [item] = case.documents(case.plan())
    assert item.document.id in ("10.1/a", "10.1000/a")
    assert item.document.fields == fields


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (InputFormat.RIS, "TY  - JOUR\nT2  - 刊\nER  - \n"),
        (InputFormat.ENDNOTE, "%0 Book\n%A 张三\n"),
        (InputFormat.BIBTEX, "@article{, year={2020}}\n"),
    ],
)
def test_an_entry_without_a_title_is_told_as_one(
    tmp_path: Path, kind: InputFormat, content: str
) -> None:
    """Its id would be made of the title, so that its want was told as that of an id."""
    with pytest.raises(BadInput, match="has no title, no DOI and no id of its own"):
        Case(tmp_path, content.encode(), format=kind).plan()


def test_fields_objects_are_merged_and_named_fields_chosen(tmp_path: Path) -> None:
    line = {"id": 1, "title": "t", "fields": {"a": 1, "b": 2}, "c": 3, "none": None}
    [item] = (case := Case(tmp_path, jsonl([line]))).documents(case.plan())
    assert item.document.id == "1"
    assert item.document.fields == {"a": 1, "b": 2, "c": 3}
    chosen = Case(tmp_path, jsonl([line]), mapping=FieldMapping(fields=["b", "c"]))
    [item] = chosen.documents(chosen.plan())
    assert item.document.fields == {"b": 2, "c": 3}
    renamed = Case(tmp_path, jsonl([line]), mapping=FieldMapping(fields={"x": "b", "y": "z"}))
    [item] = renamed.documents(renamed.plan())
    assert item.document.fields == {"x": 2}


@pytest.mark.parametrize(
    "document",
    [
        {"text": "文" * 19_000},
        {"body": "文" * 10_000},
        {"fields": {f"f{number}": "文" * 1_300 for number in range(15)}},
        {"fields": {f"f{number}": ["文" * 40] * 30 for number in range(14)}},
    ],
    ids=lambda document: "-".join(document),
)
def test_large_documents_make_small_parts(tmp_path: Path, document: dict[str, Any]) -> None:
    """The indexer holds the rows of several parts in memory at a time."""
    lines = [{"id": f"{number}", "title": "题", **document} for number in range(400)]
    case = Case(tmp_path, jsonl(lines), part_documents=1_000)
    plan = case.plan()
    assert plan.documents == 400, case.rejected()[:1]
    # A document has 30 to 60 kB, and a part some megabytes.
    assert max(plan.parts) <= 160


def test_max_errors_stops_a_hopeless_file_early(tmp_path: Path) -> None:
    case = Case(tmp_path, b"bad\n" * 1000, max_errors=5)
    with pytest.raises(BadInput, match="More than 5 lines"):
        case.plan()
    assert len(case.rejected()) == 6


@pytest.mark.parametrize(("content", "says"), [(b"bad\nworse\n", "Not one"), (b"\n\n", "no doc")])
def test_nothing_usable_is_said_in_words(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Case(tmp_path, content).plan()


def test_ready_made_vectors_of_a_column_and_of_a_matrix(tmp_path: Path) -> None:
    unit = [1.0, 0.0, 0.0, 0.0]
    lines: list[dict[str, object]] = [
        {"id": "a", "title": "t", "v": unit},
        {"id": "b", "title": "t", "v": [1.0]},
        {"id": "c", "title": "t", "v": [3.0, 0, 0, 0]},
        {"id": "d", "title": "t"},
    ]
    case = Case(tmp_path, jsonl(lines), mapping=FieldMapping(vector="v"))
    [item] = case.documents(case.plan())
    assert item.vector is not None
    assert item.vector.tolist() == unit
    assert item.document.fields == {}
    assert [rejection.line for rejection in case.rejected()] == [2, 3, 4]
    assert case.rejected()[-1].reason == "has no vector (`v`)"

    matrix = io.BytesIO()
    np.save(matrix, np.eye(DIMENSION, dtype=np.float32)[:2])
    case = Case(tmp_path, jsonl([{"id": n, "title": "t"} for n in "ab"]), vectors=True)
    case.files.store.write(case.files.vectors_key("job"), matrix.getvalue())
    vectors = [item.vector for item in case.documents(case.plan())]
    assert np.array_equal(np.stack([v for v in vectors if v is not None]), np.eye(DIMENSION)[:2])


@pytest.mark.parametrize(("rows", "columns"), [(1, DIMENSION), (3, DIMENSION), (2, 5)])
def test_a_matrix_that_does_not_fit_fails_the_job(tmp_path: Path, rows: int, columns: int) -> None:
    matrix = io.BytesIO()
    np.save(matrix, np.eye(rows, columns, dtype=np.float32))
    case = Case(tmp_path, jsonl([{"id": n, "title": "t"} for n in "ab"]), vectors=True)
    case.files.store.write(case.files.vectors_key("job"), matrix.getvalue())
    with pytest.raises(BadInput):
        case.plan()


def test_an_exported_collection_keeps_its_versions(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "title": "t", "_version": 42}).encode()
    case = Case(tmp_path, line, from_collection=True)
    [item] = case.documents(case.plan())
    assert item.version == 42
    assert item.document.fields == {}


@pytest.mark.parametrize(
    ("header", "cell", "lists", "wanted"),
    [
        ("关键词", "冻土；路基; 变形", None, ["冻土", "路基", "变形"]),
        ("作者", "张三；李四；", None, ["张三", "李四"]),
        ("authors", "Smith, John", None, "Smith, John"),
        ("Keywords", "soil, frost,ice", None, ["soil", "frost", "ice"]),
        ("备注", "甲；乙", None, "甲；乙"),
        ("关键词", "冻土；路基", [], "冻土；路基"),
        ("学科", "甲；乙", ["学科"], ["甲", "乙"]),
        ("学科", "甲/乙、丙；丁", {"学科": "/、"}, ["甲", "乙", "丙；丁"]),
        ("年份", "2019;2020", ["年份"], ["2019", "2020"]),
    ],
)
def test_cells_with_lists(
    tmp_path: Path, header: str, cell: str, lists: object, wanted: object
) -> None:
    mapping = FieldMapping.model_validate({"lists": lists})
    rows = f"id\ttitle\t{header}\n1\t题\t{cell}\n2\t题\t\n".encode()
    case = Case(tmp_path, rows, format=InputFormat.TSV, mapping=mapping)
    first, second = case.documents(case.plan())
    assert first.document.fields == {header: wanted}
    assert second.document.fields == {}


def test_a_column_of_authors_holds_lists_in_every_row(tmp_path: Path) -> None:
    rows = "id,title,作者\n1,题,张三\n2,题,李四；王五\n".encode()
    case = Case(tmp_path, rows, format=InputFormat.CSV)
    assert [item.document.fields["作者"] for item in case.documents(case.plan())] == [
        ["张三"],
        ["李四", "王五"],
    ]
    lines = jsonl([{"id": "1", "title": "t", "tags": "a;b", "n": 2, "o": ["x"]}])
    case = Case(tmp_path, lines, mapping=FieldMapping(lists=["tags"]))
    [item] = case.documents(case.plan())
    assert item.document.fields == {"tags": ["a", "b"], "n": 2, "o": ["x"]}
