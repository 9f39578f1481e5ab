"""Planning: every line accounted for, parts clean, the last of each id kept."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.common.wire.jobs import InputFormat, JobMode
from services.indexer.intake.planner import Planner
from services.indexer.intake.record import BadInput
from services.indexer.jobs.files import JobFiles
from services.indexer.jobs.manifest import FieldMapping, JobManifest, Plan, Rejection, now
from services.indexer.rows import PlannedDocument, unpack_planned
from services.indexer.store import ObjectStore
from tests.indexer.installation import jsonl

DIMENSION = 4


class Case:
    """One input to be planned."""

    def __init__(self, folder: Path, content: bytes, **manifest: Any) -> None:
        self.files = JobFiles(ObjectStore(str(folder)))
        self.manifest = JobManifest.model_validate(
            {
                "id": "job",
                "collection": "c",
                "mode": JobMode.UPSERT,
                "format": InputFormat.JSONL,
                "version": 1,
                "created_at": now(),
                **manifest,
            }
        )
        self.files.store.write(self.files.input_key("job"), content)

    def plan(self) -> Plan:
        return Planner(
            self.files,
            self.manifest,
            "token",
            dimension=DIMENSION,
            part_documents=3,
            check=lambda: None,
        ).plan()

    def documents(self, plan: Plan) -> list[PlannedDocument]:
        found: list[PlannedDocument] = []
        for part, size in enumerate(plan.parts):
            content = self.files.store.read(self.files.part_key("job", "token", part))
            found += unpack_planned(content, 0, size)
        return found

    def rejected(self) -> list[Rejection]:
        content = self.files.store.read(self.files.rejected_key("job", "token"))
        return [Rejection.model_validate_json(line) for line in content.splitlines()]


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
    assert "title or a text" in reasons[3]
    assert "90,000 bytes" in reasons[4]
    assert "meta" in reasons[5]
    assert "UTF-8" in reasons[7]


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
