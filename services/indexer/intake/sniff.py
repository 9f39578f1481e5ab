"""What the first bytes of an input already say: a wrong format is refused before acceptance."""

import csv
import json

from services.common.errors import InvalidRequest, UnsupportedFormat
from services.common.wire.jobs import InputFormat
from services.indexer.intake.compression import beginning
from services.indexer.jobs.manifest import FieldMapping

_PARQUET = b"PAR1"
_KNOWN = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an Office file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"BZh": "bzip2, which is not supported; use gzip or zstd",
    b"\xfd7zXZ": "xz, which is not supported; use gzip or zstd",
    b"<htm": "HTML",
    b"<!DO": "HTML",
    b"<?xm": "XML",
    b"\xff\xfe": "UTF-16; convert it to UTF-8",
    b"\xfe\xff": "UTF-16; convert it to UTF-8",
}


def check_beginning(head: bytes, declared: InputFormat, mapping: FieldMapping) -> None:
    """Raises UnsupportedFormat when the bytes cannot be the declared format, and InvalidRequest
    when a header lacks a column that the mapping names."""
    plain = beginning(head)
    if (declared is InputFormat.PARQUET) != plain.startswith(_PARQUET):
        found = "is Parquet" if plain.startswith(_PARQUET) else "is not Parquet"
        raise UnsupportedFormat(f"The input {found}, but format={declared} was declared.")
    if declared is InputFormat.PARQUET:
        if not head.startswith(_PARQUET):
            raise UnsupportedFormat("Send Parquet as it is: it is compressed inside.")
        return
    for magic, name in _KNOWN.items():
        if plain.startswith(magic):
            raise UnsupportedFormat(f"The input is {name}, but format={declared} was declared.")
    if b"\x00" in plain[:4096]:
        raise UnsupportedFormat(f"The input is binary, but format={declared} was declared.")
    if declared is InputFormat.JSONL:
        _check_jsonl(plain)
    elif declared in (InputFormat.CSV, InputFormat.TSV):
        _check_header(plain, declared, mapping)


def _check_jsonl(plain: bytes) -> None:
    text = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        raise UnsupportedFormat(
            "The input is a JSON array; jsonl is one object a line (`jq -c '.[]'` makes it)."
        )
    if text and not text.startswith(b"{") and not _any_object(text):
        raise UnsupportedFormat(
            "The input does not begin with a JSON object; declare format=csv, tsv or lines if it"
            " is one of those."
        )


def _any_object(text: bytes) -> bool:
    """Whether one of the first lines is a JSON object: then bad lines are rejected one by one."""
    for line in text.splitlines()[:100]:
        try:
            if isinstance(json.loads(line), dict):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def _check_header(plain: bytes, declared: InputFormat, mapping: FieldMapping) -> None:
    header = plain.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    if header.lstrip().startswith(b"{"):
        raise UnsupportedFormat(
            f"The input begins with a JSON object; declare format=jsonl instead of {declared}."
        )
    other, delimiter = (b"\t", b",") if declared is InputFormat.CSV else (b",", b"\t")
    if delimiter not in header and other in header:
        better = InputFormat.TSV if declared is InputFormat.CSV else InputFormat.CSV
        raise UnsupportedFormat(
            f"The header has no {declared} delimiter but one of {better}; declare format={better}."
        )
    line = header.decode("utf-8", "replace").rstrip("\r")
    check_columns(next(csv.reader([line], delimiter=delimiter.decode()), []), mapping)


def check_columns(columns: list[str], mapping: FieldMapping) -> None:
    """Raises InvalidRequest when a table lacks a column that the mapping names."""
    there = {column.strip() for column in columns}
    wanted = [mapping.id, *mapping.columns(), *([mapping.vector] if mapping.vector else [])]
    missing = [column for column in wanted if column not in there]
    if mapping.title not in there and mapping.text not in there:
        missing += [mapping.title, mapping.text]
    if missing:
        raise InvalidRequest(
            f"The columns are {', '.join(sorted(there))}; there is no {' and no '.join(missing)}."
            " Say with `mapping` which columns are the id, the title and the text."
        )
