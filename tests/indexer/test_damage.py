"""Damaged input and a failing disk are told apart, whatever class of exception they raise."""

import contextlib
import errno
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from services.common.errors import (
    InvalidRequest,
    MalformedRequest,
    Unavailable,
    UnsupportedFormat,
)
from services.common.objects import FAILURES
from services.common.wire.input_formats import InputFormat
from services.indexer.intake.compression import beginning, decompressed
from services.indexer.intake.mapping import FieldMapping
from services.indexer.intake.record import BadInput
from services.indexer.intake.sniff import check_beginning, check_table
from services.indexer.jobs.given_up import given_up
from services.indexer.jobs.ledger import JobLedger
from services.indexer.jobs.manifest import PartKey, Plan
from services.indexer.store import ObjectStore
from services.indexer.streams import WriteStream
from services.indexer.tables import unpack_planned
from tests.indexer.installation import Installation, jsonl
from tests.indexer.papers import zipped
from tests.indexer.planning import Case

LINES = b"".join(b'{"id":"%d","title":"title %d"}\n' % (n, n * 7919) for n in range(1_500))
LARGE = gzip.compress(LINES * 5, mtime=0)
"""So large that its end is not seen at submission."""
GZIP = gzip.compress(LINES, mtime=0)
ZSTD = zstandard.ZstdCompressor(write_checksum=True).compress(LINES)


def _parquet() -> bytes:
    sink = io.BytesIO()
    ids = [str(n) for n in range(800)]
    parquet.write_table(pa.table({"id": ids, "title": ids}), sink, row_group_size=200)
    return sink.getvalue()


PARQUET = _parquet()


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (GZIP[: len(GZIP) // 2], "cut off"),
        (GZIP[:-4], "cut off"),
        (flipped(GZIP, -8 % len(GZIP)), "damaged"),
        (flipped(GZIP, -1 % len(GZIP)), "damaged"),
        (flipped(GZIP, len(GZIP) // 2), "damaged"),
        (GZIP + b"more", "none"),
        (GZIP + GZIP[:20], "cut off"),
        (ZSTD[: len(ZSTD) // 2], "cut off"),
        (flipped(ZSTD, len(ZSTD) // 2), "damaged"),
        (flipped(ZSTD, -1 % len(ZSTD)), "damaged"),
        (ZSTD + b"more", "none"),
    ],
)
def test_damage_anywhere_fails_the_planning_in_words(
    tmp_path: Path, packed: bytes, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as raised:
        Case(tmp_path, packed, 1_000).plan()
    assert "Error" not in str(raised.value)


@pytest.mark.parametrize("padding", [b"\n", b"\r\n", b"\x00" * 5_000, b""])
@pytest.mark.parametrize("packed", [GZIP, GZIP[:0] + GZIP, ZSTD])
def test_padding_behind_the_data_carries_nothing(packed: bytes, padding: bytes) -> None:
    with decompressed(io.BytesIO(packed + padding)) as stream:
        assert stream.read() == LINES


@pytest.mark.parametrize("packed", [GZIP, ZSTD])
def test_several_frames_are_one_text(packed: bytes) -> None:
    with decompressed(io.BytesIO(packed * 3)) as stream:
        assert stream.read() == LINES * 3
    assert LINES.startswith(beginning(packed)[:1_000])


def test_damage_in_the_first_bytes_is_told_at_submission() -> None:
    damaged = GZIP[:12] + b"\xff" * 200 + GZIP[212:]
    with pytest.raises(InvalidRequest, match="gzip -t"):
        check_beginning(damaged, InputFormat.JSONL, FieldMapping())
    with pytest.raises(UnsupportedFormat, match="zip archive"):
        check_beginning(b"PK\x03\x04rest", InputFormat.JSONL, FieldMapping())


@pytest.mark.parametrize("content", [PARQUET[:-100], PARQUET[:-4] + b"PARX", b"PAR1 no more PAR1"])
def test_a_parquet_file_without_its_footer_is_told_at_submission(content: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Parquet"):
        check_table(io.BytesIO(content), FieldMapping())


def test_a_column_whose_name_is_no_text_is_told_at_submission() -> None:
    whole = io.BytesIO()
    parquet.write_table(pa.table({"id": ["1"], "title": ["a"]}), whole, store_schema=False)
    damaged = whole.getvalue().replace(b"title", b"\xe5itle")
    with pytest.raises(InvalidRequest, match=r"name of a column .* Write it again\.$"):
        check_table(io.BytesIO(damaged), FieldMapping())


def test_every_flipped_byte_of_a_parquet_file_is_told(tmp_path: Path) -> None:
    for number, place in enumerate(range(0, len(PARQUET), len(PARQUET) // 20)):
        case = Case(
            tmp_path / str(number), flipped(PARQUET, place), 1_000, format=InputFormat.PARQUET
        )
        with contextlib.suppress(BadInput):
            plan = case.plan()
            assert plan.read == plan.documents + plan.rejected + plan.deduplicated == 800, place


class _FailingDisk(io.RawIOBase):
    """Gives some bytes, then what a disk raises."""

    def __init__(self, inner: IO[bytes], failure: OSError) -> None:
        self._inner = inner
        self._failure = failure
        self._left = 2_000

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def read(self, size: int = -1, /) -> bytes:
        if self._left <= 0:
            raise self._failure
        block = self._inner.read(min(size, self._left))
        self._left -= len(block)
        return block


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (LINES, InputFormat.JSONL),
        (GZIP, InputFormat.JSONL),
        (ZSTD, InputFormat.JSONL),
        (b"id,title\n" + b"1,a\n" * 5_000, InputFormat.CSV),
        (LINES, InputFormat.LINES),
        (PARQUET, InputFormat.PARQUET),
        (zipped({"a.jsonl": LINES}), InputFormat.ZIP),
    ],
)
def test_a_disk_that_fails_in_the_middle_is_no_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, kind: InputFormat
) -> None:
    case = Case(tmp_path, content, 1_000, format=kind)
    opened: Callable[..., Any] = case.files.store._fs.open

    def failing(path: str, mode: str) -> Any:
        stream = opened(path, mode)
        failure = OSError(errno.EIO, "Input/output error")
        return _FailingDisk(stream, failure) if path.endswith("/input") else stream

    monkeypatch.setattr(case.files.store._fs, "open", failing)
    with pytest.raises(Unavailable, match="input/output error"):
        case.plan()


@pytest.mark.parametrize("error", [OSError("of the block"), gzip.BadGzipFile(), zlib.error()])
def test_an_error_of_the_block_that_writes_stays_what_it_is(
    tmp_path: Path, error: Exception
) -> None:
    def write(store: ObjectStore) -> None:
        with store.writer("key") as stream:
            stream.write(b"half")
            raise error

    store = ObjectStore(str(tmp_path))
    with pytest.raises(type(error)):
        write(store)
    assert not store.exists("key")


def test_a_full_disk_is_told_where_it_is_written() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - a device
        stream = WriteStream(full, FAILURES, lambda error: Unavailable(error.strerror))
        with pytest.raises(Unavailable, match="No space left"):
            stream.write(b"x")


def _planned(tmp_path: Path) -> tuple[Case, Plan, bytes]:
    rows = [{"id": str(n), "title": "冻土" * n, "year": n, "tags": ["a"]} for n in range(1, 40)]
    case = Case(tmp_path, jsonl(rows), part_documents=100)
    plan = case.plan()
    return case, plan, case.files.part("job", "token", 0)


def test_a_part_that_the_storage_damaged_is_told_as_such(tmp_path: Path) -> None:
    """Arrow raises an OSError, a ValueError or what its reader of metadata does not expect."""
    _, plan, part = _planned(tmp_path)
    assert len(unpack_planned(part, 0, plan.parts[0])) == 39
    damaged = [part[:cut] for cut in range(0, len(part), 97)]
    damaged += [flipped(part, place) for place in range(0, len(part), 11)]
    told = 0
    for content in (*damaged, b"", b"ARROW1", part[::-1]):
        try:
            unpack_planned(content, 0, plan.parts[0])
        except MalformedRequest:
            told += 1
    assert told > len(damaged) // 2  # a byte of padding, or of a title, changes no structure


def test_a_document_of_a_damaged_part_is_rejected_and_the_job_ends(tmp_path: Path) -> None:
    """It was an error of the look at all jobs, which then stood still for ever."""
    case, plan, part = _planned(tmp_path)
    ledger = JobLedger.recover(case.manifest, plan, {}, set(), cancelling=False, end=None)
    key = PartKey(0, 3, 4)
    assert given_up(case.files, ledger, key, "it hurts").rejected[0].content == "4"
    stored = case.files.part_key("job", "token", 0)
    for content, says in ((part[: len(part) // 2], "damaged"), (None, "missing")):
        case.files.store.remove(stored)
        if content is not None:
            case.files.store.write(stored, content)
        result = given_up(case.files, ledger, key, "it hurts")
        assert (result.indexed, len(result.rejected)) == (0, 1)
        assert says in result.rejected[0].reason


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (gzip.compress(b'{"id":"1","title":"a"}\n', mtime=0) + b"x", "none"),
        (gzip.compress(b'{"id":"1","title":"a"}\n', mtime=0)[:-1], "cut off"),
        (flipped(LARGE, -8 % len(LARGE)), "damaged"),
        (flipped(LARGE, -1 % len(LARGE)), "damaged"),
    ],
)
def test_a_job_of_a_damaged_file_fails_soon_and_says_why(
    indexer: Installation, packed: bytes, says: str
) -> None:
    job = indexer.submit("damaged", packed)
    ended = indexer.ended(job, 60)
    assert (ended["state"], ended["counts"]["indexed"]) == ("failed", 0)
    assert says in ended["message"]
    assert "again" in ended["message"]


def test_a_gzip_with_a_line_feed_behind_it_is_indexed(indexer: Installation) -> None:
    job = indexer.submit("padded", gzip.compress(b'{"id":"1","title":"a"}\n', mtime=0) + b"\n")
    assert indexer.ended(job, 60)["counts"]["indexed"] == 1
