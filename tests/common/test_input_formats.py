"""Which format and compression names and content types stand for."""

from typing import Any

import pytest

from services.common.wire.input_formats import SUFFIXES, Compression, InputFormat, format_of_name
from services.common.wire.jobs import JobMode, JobOptions


@pytest.mark.parametrize(
    ("name", "format_", "compression"),
    [
        ("a.jsonl", InputFormat.JSONL, None),
        ("a.ndjson.gz", InputFormat.JSONL, Compression.GZIP),
        ("论文 2015.CSV", InputFormat.CSV, None),
        ("a.b.c.tsv.ZST", InputFormat.TSV, Compression.ZSTD),
        ("s3://library/2024/papers.parquet", InputFormat.PARQUET, None),
        ("a.txt", InputFormat.LINES, None),
        ("a.gz", None, Compression.GZIP),
        ("a.csv.bak", None, None),
        ("csv", None, None),
        (".csv", None, None),
        ("", None, None),
        ("a.gz.csv", InputFormat.CSV, None),
    ],
)
def test_what_a_name_tells(
    name: str, format_: InputFormat | None, compression: Compression | None
) -> None:
    assert format_of_name(name) == (format_, compression)


def test_no_two_formats_share_a_name() -> None:
    types = [each for format_ in InputFormat for each in format_.media_types]
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    assert len(set(types)) == len(types)
    assert [each for each in InputFormat if not each.suffixes] == [InputFormat.TEXT]
    for format_ in InputFormat:
        for media_type in format_.media_types:
            assert InputFormat.of_media_type(f" {media_type.upper()} ") is format_
    assert InputFormat.of_media_type("application/json") is None
    untyped = {InputFormat.CSV, InputFormat.TSV, InputFormat.XLSX, InputFormat.XLS}
    assert {each for each in InputFormat if not each.typed} == untyped


def test_only_what_is_set_becomes_a_parameter() -> None:
    options: dict[str, Any] = {"collection": "notes", "max_errors": 0, "mode": JobMode.REBUILD}
    assert JobOptions(**options).params() == {
        "collection": "notes",
        "mode": "rebuild",
        "max_errors": "0",
    }
