"""Extraction: what lands in the shards, and that a kill changes nothing."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from services.common.documents import Document
from services.common.engine import Encoder, PredictorOptions, open_encoder
from services.common.errors import InvalidRequest
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.mapping import FieldMapping
from tests.models import DIMENSION, tiny_encoder
from tests.waiting import eventually
from training.cli.deliveries import of_shard
from training.data.documents import DocumentFile
from training.extract.extraction import Portion, Progress, extract
from training.extract.shards import PLAN, ExtractionError, ShardFolder
from training.extract.transfer import VECTOR, write_table
from training.failures import DataInvalid
from xunwen.embedded.leash import leash


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="module")
def encoder(model: Path) -> Encoder:
    return open_encoder(model, PredictorOptions(threads=1, precision="fp32"))


def _jsonl(path: Path, count: int) -> Path:
    rows = (
        {"id": f"d{n}", "title": f"第{n}号", "text": "国有企业" * (n % 7), "year": 2000 + n % 20}
        for n in range(count)
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(lines, mtime=0) if path.suffix == ".gz" else lines)
    return path


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_shards_hold_every_document_and_its_vector(encoder: Encoder, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl", 25)
    seen: list[Progress] = []
    progress = extract(
        DocumentFile(source), tmp_path / "out", encoder, shard_records=10, report=seen.append
    )
    assert (progress.documents, progress.rejected, progress.done) == (25, 0, 1.0)
    assert [step.documents for step in seen] == [10, 20, 25]
    folder = ShardFolder(tmp_path / "out")
    ids: list[str] = []
    for shard in folder.finished():
        rows = _rows(folder.file(shard.number, "jsonl"))
        vectors = np.load(folder.file(shard.number, "npy"))
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(rows), DIMENSION)
        texts = [f"{row['title']}\n{row.get('text', '')}".strip() for row in rows]
        assert np.allclose(vectors, encoder.encode(texts), atol=1e-6)
        ids += [row["id"] for row in rows]
    assert ids == [f"d{n}" for n in range(25)]
    assert _rows(folder.file(0, "jsonl"))[0]["fields"] == {"year": 2000}


def test_a_body_is_read_as_in_an_index_job_and_loaded(encoder: Encoder, tmp_path: Path) -> None:
    """The vector of a document is that of its text, or else of the beginning of its body."""
    source = tmp_path / "corpus.jsonl"
    long = "水稻种植的方法。" * 1000
    rows: list[dict[str, Any]] = [
        {"id": "a", "title": "甲", "body": long},
        {"id": "b", "body": "只有正文"},
        {"id": "c", "title": "丙", "text": "摘要", "body": "正文", "fields": {"body": "字段"}},
        {"id": "d", "title": "丁"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    extract(DocumentFile(source), tmp_path / "out", encoder, shard_records=2)
    shards = ShardFolder(tmp_path / "out")
    deliveries = [of_shard(shards, shard) for shard in shards.finished() if shard.documents]
    texts = [f"甲\n{long[:4000]}", "只有正文", "丙\n摘要", "丁"]
    vectors = np.concatenate([one.vectors for one in deliveries])
    assert np.allclose(vectors, encoder.encode(texts), atol=1e-6)
    loaded = tmp_path / "loaded.parquet"
    assert write_table(loaded, ((one.documents, one.vectors) for one in deliveries)) == 4
    file = DocumentFile(loaded, mapping=FieldMapping(vector=VECTOR))
    assert [*file.documents()] == [Document.model_validate(row) for row in rows]


def test_bad_lines_are_named_and_the_rest_goes_on(encoder: Encoder, tmp_path: Path) -> None:
    source = tmp_path / "corpus.jsonl"
    lines = [
        '{"id": "a", "text": "甲"}'.encode(),
        b"{oops",
        b"",
        b'{"text": "no id"}',
        b"[1]",
        b'{"id": "b", "text": "\xff"}',
        b'{"id": "c", "text": "' + b"x" * (1 << 20) + b'"}',
        '{"id": "d", "text": "丁"}'.encode(),
    ]
    source.write_bytes(b"\n".join(lines))
    progress = extract(DocumentFile(source), tmp_path / "out", encoder)
    assert (progress.records, progress.documents, progress.rejected) == (7, 2, 5)
    (shard,) = ShardFolder(tmp_path / "out").finished()
    assert [item.line for item in shard.rejected] == [2, 4, 5, 6, 7]
    assert "JSON" in shard.rejected[0].reason
    assert shard.rejected[-1].reason.startswith("text: text has 1,048,576 bytes")


def test_plain_lines(encoder: Encoder, tmp_path: Path) -> None:
    source = tmp_path / "corpus.txt"
    source.write_text("\ufeff甲\n乙\n甲\n", "utf-8")
    extract(DocumentFile(source), tmp_path / "out", encoder)
    rows = _rows(tmp_path / "out" / "part-000000.jsonl")
    assert [row["text"] for row in rows] == ["甲", "乙", "甲"]
    assert rows[0]["id"] == rows[2]["id"] != rows[1]["id"]


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_a_run_that_was_cut_short_ends_with_the_same_bytes(
    encoder: Encoder, tmp_path: Path, name: str
) -> None:
    class Stop(Exception):
        pass

    def stop_after_two(progress: Progress) -> None:
        if progress.documents == 20:
            raise Stop

    source = _jsonl(tmp_path / name, 45)
    extract(DocumentFile(source), tmp_path / "whole", encoder, shard_records=10)
    cut = tmp_path / "cut"
    with pytest.raises(Stop):
        extract(DocumentFile(source), cut, encoder, shard_records=10, report=stop_after_two)
    # What a kill between the files of a shard leaves behind.
    (cut / "part-000002.jsonl").write_bytes(b"half a sh")
    (cut / ".part-000002.npy.partial").write_bytes(b"\x93NUM")
    extract(DocumentFile(source), cut, encoder, shard_records=10)
    assert _content(cut) == _content(tmp_path / "whole")
    before = {path: path.stat().st_mtime_ns for path in cut.iterdir()}
    assert extract(DocumentFile(source), cut, encoder, shard_records=10).documents == 45
    assert before == {path: path.stat().st_mtime_ns for path in cut.iterdir()}


def test_a_killed_process_is_finished_by_the_next(model: Path, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl", 6_000)
    cut = tmp_path / "cut"
    command = [sys.executable, "-m", "training.cli.extract", str(source), str(cut)]
    command += ["--encoder", str(model), "--precision", "fp32", "--shard-records", "100"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len([*cut.glob("part-*.json")]) < 5 and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
    done = len([*cut.glob("part-*.json")])
    assert 5 <= done < 60, f"killed at a moment that shows nothing: {done} of 60 shards"
    shared = [*command, "--processes", "2"]
    finished = subprocess.run(shared, check=True, capture_output=True, text=True)
    assert "6,000 documents" in finished.stdout
    whole = tmp_path / "whole"
    in_process = open_encoder(model, PredictorOptions(precision="fp32"))
    extract(DocumentFile(source), whole, in_process, shard_records=100)
    assert _content(cut) == _content(whole)


@pytest.mark.skipif(not leash(), reason="Linux only: elsewhere the processes go on")
def test_a_killed_command_leaves_no_processes(model: Path, tmp_path: Path) -> None:
    """They would go on for hours, and write the same shards as the command that is given again."""
    source, out = _jsonl(tmp_path / "corpus.jsonl", 20_000), tmp_path / "out"
    command = [sys.executable, "-m", "training.cli.extract", str(source), str(out)]
    command += ["--encoder", str(model), "--precision", "fp32", "--shard-records", "10"]
    command += ["--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: [*out.glob("part-*.json")])
        shared = psutil.Process(process.pid).children()
        process.kill()
    try:
        assert len(shared) == 2
        eventually(lambda: not [*filter(_runs, shared)], seconds=10)
    finally:
        for one in filter(_runs, shared):
            one.kill()


def test_another_model_or_input_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl", 5)
    out = tmp_path / "out"
    extract(DocumentFile(source), out, encoder)
    with pytest.raises(ExtractionError, match="dtype"):
        extract(DocumentFile(source), out, encoder, dtype="float16")
    other_model = open_encoder(
        tiny_encoder(tmp_path / "other", seed=1), PredictorOptions(threads=1, precision="fp32")
    )
    with pytest.raises(ExtractionError, match="encoder"):
        extract(DocumentFile(source), out, other_model)
    content = source.read_bytes()
    source.write_bytes(content.replace("国有企业".encode(), "民营经济".encode()))
    with pytest.raises(ExtractionError, match="another source_sha256;"):
        extract(DocumentFile(source), out, encoder)
    # A folder that was begun before there were checksums is finished.
    plan = json.loads((out / PLAN).read_text("utf-8"))
    del plan["source_sha256"]
    (out / PLAN).write_text(json.dumps(plan), "utf-8")
    extract(DocumentFile(source), out, encoder)
    _jsonl(source, 6)
    with pytest.raises(ExtractionError, match="source_bytes"):
        extract(DocumentFile(source), out, encoder)


def test_processes_that_start_at_once_share_the_folder(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process writes its plan between the looks of this one at the folder."""
    source = _jsonl(tmp_path / "corpus.jsonl", 5)
    out, whole = tmp_path / "out", tmp_path / "whole"
    extract(DocumentFile(source), whole, encoder)
    exists = Path.exists

    def after_the_other(path: Path) -> bool:
        there = exists(path)
        if path.name == PLAN:
            path.write_bytes((whole / PLAN).read_bytes())
        return there

    monkeypatch.setattr(Path, "exists", after_the_other)
    extract(DocumentFile(source), out, encoder)
    assert _content(out) == _content(whole)


def test_a_folder_with_other_files_is_left_alone(encoder: Encoder, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl", 5)
    with pytest.raises(ExtractionError, match="empty folder"):
        extract(DocumentFile(source), tmp_path, encoder)


def test_unknown_formats_are_named(tmp_path: Path) -> None:
    source = tmp_path / "corpus.odt"
    source.write_bytes(b"x")
    with pytest.raises(DataInvalid, match=r"\.jsonl"):
        DocumentFile(source)


def test_what_index_reads_extract_reads(encoder: Encoder, tmp_path: Path) -> None:
    """The same documents from every format, and texts a line in a file that is named as a table."""
    rows = [
        {"id": "a", "title": "国有企业", "year": 2001, "code": "007"},
        {"id": "b", "title": "海洋", "year": 2002, "code": "1"},
    ]
    table = "no,title,year,code\n" + "".join(
        f"{row['id']},{row['title']},{row['year']},{row['code']}\n" for row in rows
    )
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(table.encode()))
    (tmp_path / "rows.tsv").write_bytes(table.replace(",", "\t").encode("gb18030"))
    arrow = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    parquet.write_table(
        arrow.rename_columns(["no", *arrow.column_names[1:]]), tmp_path / "r.parquet"
    )
    columns = FieldMapping(id="no")
    for name, charset in (
        ("rows.csv.gz", None),
        ("rows.tsv", Charset.GB18030),
        ("r.parquet", None),
    ):
        out = tmp_path / f"of {name}"
        extract(DocumentFile(tmp_path / name, mapping=columns, charset=charset), out, encoder)
        found = _rows(out / "part-000000.jsonl")
        assert [(row["id"], row["title"], row["fields"]) for row in found] == [
            (row["id"], row["title"], {"year": row["year"], "code": row["code"]}) for row in rows
        ]
    texts = tmp_path / "milvus_data.csv"
    texts.write_text("热处理,对尼龙6的影响\n海洋\n", "utf-8")
    extract(DocumentFile(texts), tmp_path / "texts", encoder)
    assert [row["text"] for row in _rows(tmp_path / "texts" / "part-000000.jsonl")] == [
        "热处理,对尼龙6的影响",
        "海洋",
    ]
    (tmp_path / "other.csv").write_text("甲,乙\n1,海洋\n", "utf-8")
    with pytest.raises(InvalidRequest, match="which columns are the id"):
        DocumentFile(tmp_path / "other.csv")


_MIDDLE = "".join(f'{at},"第一行\n第二行\n第三行",甲\n' for at in range(30))


@pytest.mark.parametrize(
    ("name", "content", "read_as"),
    [
        ("long.csv", f"甲,{'文' * 140_000}\n海洋\n", InputFormat.LINES),
        ("long.tsv", f"甲\t{'文' * 140_000}\n海洋\n", InputFormat.LINES),
        ("table.csv", f"编号,标题,正文\n1,甲,{'文' * 140_000}\n", InputFormat.CSV),
        ("breaks.csv", f"编号,正文,标题\n{_MIDDLE}", InputFormat.CSV),
        ("separator.csv", "编号,标题,正文\n1,甲,前\u2028后\n2,乙,丙\x0b丁\n", InputFormat.CSV),
        ("quote.csv", '"未闭合的引号\n海洋\n', InputFormat.LINES),
    ],
)
def test_tables_and_texts_with_odd_cells_are_told_apart(
    tmp_path: Path, name: str, content: str, read_as: InputFormat
) -> None:
    (tmp_path / name).write_text(content, "utf-8", newline="")
    assert DocumentFile(tmp_path / name).format is read_as


def test_processes_share_the_shards(encoder: Encoder, model: Path, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl.gz", 45)
    whole = extract(DocumentFile(source), tmp_path / "whole", encoder, shard_records=10)
    assert (whole.documents, whole.done) == (45, 1.0)
    parts = [
        extract(
            DocumentFile(source),
            tmp_path / "shared",
            encoder,
            shard_records=10,
            portion=Portion.parse(f"{number}/2"),
        )
        for number in (2, 1)
    ]
    assert [part.documents for part in parts] == [20, 25]
    assert _content(tmp_path / "shared") == _content(tmp_path / "whole")
    with pytest.raises(ExtractionError, match="write 1/4 to 4/4"):
        Portion.parse("3/2")


def test_half_precision_halves_the_files(encoder: Encoder, tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "corpus.jsonl", 5)
    extract(DocumentFile(source), tmp_path / "out", encoder, dtype="float16")
    vectors = np.load(tmp_path / "out" / "part-000000.npy")
    assert vectors.dtype == np.float16
    assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-3)


def test_an_empty_input_gives_an_empty_extraction(encoder: Encoder, tmp_path: Path) -> None:
    source = tmp_path / "corpus.jsonl"
    source.touch()
    assert extract(DocumentFile(source), tmp_path / "out", encoder).documents == 0
    assert np.load(tmp_path / "out" / "part-000000.npy").shape == (0, DIMENSION)
