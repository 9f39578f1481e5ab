"""Zips that are damaged or too large: refused in words, or a damaged file of them is told and the
others are read in little memory."""

import io
import json
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import SearchError
from services.common.wire.input_formats import InputFormat
from services.indexer.intake import archive
from services.indexer.intake.record import BadInput
from services.indexer.intake.sources import check_stored, sources
from services.indexer.intake.zip_stream import MAX_FILES
from services.indexer.store import ObjectStore
from tests.indexer.planning import Case, about

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bz2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
Rows = list[dict[str, Any]]
EMPTY = b"PK\x05\x06" + bytes(18)


def _rows(seed: int) -> Rows:
    dice = random.Random(seed)
    return [{"id": f"{seed}-{n}", "title": dice.randbytes(24).hex()} for n in range(3)]


FILES = {"论文/一.jsonl": _rows(1), "b.jsonl": _rows(2), "k.jsonl": _rows(3)}


def _packed(method: int, extra: bytes = b"") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        for name, rows in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.extra = method, extra
            packed.writestr(entry, "".join(json.dumps(row) + "\n" for row in rows))
    return sink.getvalue()


NAME = next(iter(FILES)).encode()
STORED, LZMA = _packed(zipfile.ZIP_STORED), _packed(zipfile.ZIP_LZMA)
BEHIND_NAME = LZMA.index(NAME) + len(NAME)


def changed(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def begun_at(place: int) -> bytes:
    """A zip whose directory says, in 64 bits, that the first file begins at this place."""
    packed = _packed(zipfile.ZIP_STORED, extra=struct.pack("<HHQ", 1, 8, place))
    return changed(packed, packed.rindex(NAME) - 4, b"\xff" * 4)


class Stored:
    """A zip on a disk, as a job keeps it: a disk fails otherwise than memory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "input"
        self._store = ObjectStore(str(folder))

    def outcomes(self, content: bytes) -> Iterator[tuple[str, Rows | str]]:
        """Each file's name with its rows, or with the reason why it is not read. Raises
        SearchError where the zip is refused."""
        self._path.write_bytes(content)
        told, opener = about(InputFormat.ZIP), partial(self._store.open, "input")
        check_stored(opener, told)
        with sources(opener, told) as found:
            for source in found:
                try:
                    with source.records() as records:
                        read = list(records)
                except BadInput as error:
                    yield source.member, str(error)
                    continue
                reasons = [record.problem for record in read if record.problem]
                rows = [record.values or {} for record in read]
                yield source.member, reasons[0] if reasons else rows


@pytest.mark.parametrize("method", METHODS)
def test_a_flipped_byte_anywhere_costs_one_file_or_is_told_at_submission(
    tmp_path: Path, method: str
) -> None:
    stored, packed = Stored(tmp_path), _packed(METHODS[method])
    assert dict(stored.outcomes(packed)) == FILES
    refusals: list[SearchError] = []
    rejected = 0
    for place in range(len(packed)):
        mask = random.Random(place).choice((0x01, 0x10, 0x80, 0xFF))
        try:
            found = list(stored.outcomes(changed(packed, place, bytes([packed[place] ^ mask]))))
        except SearchError as error:
            refusals.append(error)
            continue
        whole = [rows for _, rows in found if rows in FILES.values()]
        assert len(found) == len(FILES), (place, found)
        assert len(whole) >= len(FILES) - 1, (place, found)
        assert all(outcome for _, outcome in found), (place, found)
        rejected += len(whole) < len(FILES)
    assert all(error.status < 500 and error.detail.endswith(".") for error in refusals)
    assert refusals
    assert rejected > len(packed) // 3


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_that_is_cut_off_is_told_at_submission(tmp_path: Path, method: str) -> None:
    stored, packed = Stored(tmp_path), _packed(METHODS[method])
    for size in (*range(0, len(packed), 7), len(packed) - 1):
        with pytest.raises(SearchError, match="damaged or cut off") as raised:
            list(stored.outcomes(packed[:size]))
        assert raised.value.status < 500


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed(STORED, STORED.rindex(NAME), b"\xff\xfe"), "pack it again"),
        (changed(STORED, STORED.rindex(NAME) - 14, b"\x80"), "pack it again"),
        (changed(STORED, len(STORED) - 10, b"\xff\xff\xff\x7f"), "pack it again"),
        # The name of the first file is taken for its comment.
        (changed(STORED, STORED.rindex(NAME) - 18, struct.pack("<3H", 0, 0, len(NAME))), "again"),
        (EMPTY, "holds no files"),
        (EMPTY[:8], "pack it again"),
        (EMPTY[:4], "pack it again"),
        (b"PK\x06\x07" + bytes(16) + EMPTY, "pack it again"),
    ],
)
def test_what_the_directory_of_a_zip_tells_is_told_at_submission(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(SearchError, match=says) as raised:
        list(Stored(tmp_path).outcomes(content))
    assert raised.value.status < 500


@pytest.mark.parametrize(
    "content",
    [
        changed(STORED, STORED.index(NAME), b"\xff\xfe"),
        changed(STORED, 0, b"PL"),
        changed(STORED, STORED.index(NAME) + len(NAME), b"x"),
        begun_at(len(STORED)),
        begun_at(1 << 60),
        begun_at((1 << 64) - 1),
        changed(LZMA, BEHIND_NAME + 2, b"\xff\xff"),
        changed(LZMA, BEHIND_NAME + 4, b"\xff"),
        changed(LZMA, BEHIND_NAME + 9, b"\xff" * 30),
    ],
)
def test_a_damaged_file_of_a_zip_stops_no_other(tmp_path: Path, content: bytes) -> None:
    case = Case(tmp_path, content, format=InputFormat.ZIP)
    plan = case.plan()
    assert (plan.documents, plan.rejected) == (6, 1)
    assert [each.reason for each in case.rejected()] == [
        "The file is damaged in the zip; pack it again."
    ]


def directory(entry: bytes, count: int, *, said: int | None = None, wide: bool = True) -> bytes:
    """The directory of a zip without the files themselves, closed by a record that says a number
    of entries, in 64 bits if it is wide."""
    entries = entry * count
    said = count if said is None else said
    size = len(entries)
    closed = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    if not wide:
        return entries + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, said, said, size, 0, 0)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, said, said, size, 0)
    return entries + record + struct.pack("<4sLQL", b"PK\x06\x07", 0, size, 1) + closed


def entry(name: bytes) -> bytes:
    sizes = (0, 1, 1, len(name), 0, 0, 0, 0, 0, 0)
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, *sizes) + name


SHORT, LONG = entry(b"a"), entry(b"a" * 60_000)


@pytest.mark.parametrize(
    "packed",
    [
        partial(directory, SHORT, 100_001),
        partial(directory, SHORT, 100_001, said=1),
        partial(directory, SHORT, 100_001, said=1, wide=False),
        partial(directory, SHORT, 1_000_000, said=99_999),
        partial(directory, LONG, 1_000),
        partial(directory, LONG, 1_000, wide=False),
    ],
    ids=["honest", "lies", "lies in 16 bits", "largest", "long names", "long names in 16 bits"],
)
def test_too_large_a_directory_is_refused_before_it_takes_memory(
    packed: Callable[[], bytes],
) -> None:
    content = packed()
    tracemalloc.start()
    try:
        with (
            pytest.raises(BadInput, match=r"more than 100,000 files .*divide it"),
            archive.opened(io.BytesIO(content)),
        ):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < min(len(content), 50 << 20) + (1 << 20)


def test_as_many_files_as_are_possible_are_read() -> None:
    with archive.opened(io.BytesIO(directory(SHORT, MAX_FILES))) as opened:
        assert len(archive.members(opened)) == MAX_FILES


def macos(files: int) -> bytes:
    """The directory of a zip of so many files in folders of a thousand, as macOS makes it."""
    entries = [
        b"".join((entry(b"papers/%d/" % folder), entry(b"papers/%d/.DS_Store" % folder)))
        + entry(b"__MACOSX/papers/%d/._.DS_Store" % folder)
        for folder in range(files // 1_000)
    ]
    entries += [
        entry(b"papers/%d/%d.pdf" % (number // 1_000, number))
        + entry(b"__MACOSX/papers/%d/._%d.pdf" % (number // 1_000, number))
        for number in range(files)
    ]
    return directory(b"".join(entries), 1, said=2 * files + 3 * (files // 1_000))


def test_what_macos_adds_is_not_counted() -> None:
    files = 60_000
    with archive.opened(io.BytesIO(macos(files))) as opened:
        assert len(archive.members(opened)) == files
        assert len(opened.infolist()) > MAX_FILES


@pytest.mark.parametrize(("name", "count"), [(b"__MACOSX/._a", 300_001), (b".DS_Store", 1_000_000)])
def test_too_many_files_of_systems_are_refused_too(name: bytes, count: int) -> None:
    content = directory(entry(name), count)
    with pytest.raises(BadInput, match="divide it"), archive.opened(io.BytesIO(content)):
        pass


def test_a_directory_is_read_once() -> None:
    class Counted(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            content = super().read(size)
            self.read_bytes += len(content)
            return content

    content = directory(SHORT, 50_000)
    stream = Counted(content)
    with archive.opened(stream) as opened:
        assert len(opened.infolist()) == 50_000
    assert stream.read_bytes < len(content) + (1 << 10)


@pytest.mark.parametrize("method", METHODS)
def test_a_file_is_read_in_little_memory_however_well_it_is_packed(method: str) -> None:
    size = 96 << 20
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", METHODS[method]) as packed, packed.open("a.csv", "w") as file:
        for _ in range(size >> 20):
            file.write(b"\n" * (1 << 20))
    with archive.opened(sink) as opened:
        [member] = archive.members(opened)
        tracemalloc.start()
        try:
            with archive.content(opened, member) as stream:
                assert stream.read(4) == b"\n" * 4
                stream.seek(0)
                read = sum(len(block) for block in iter(partial(stream.read, 1 << 20), b""))
                _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert read == size
    assert peak < size // 4


def test_a_file_whose_packing_asks_for_much_memory_is_told(tmp_path: Path) -> None:
    content = changed(LZMA, BEHIND_NAME + 5, b"\xff" * 4)
    case = Case(tmp_path, content, format=InputFormat.ZIP)
    plan = case.plan()
    assert (plan.documents, plan.rejected) == (6, 1)
