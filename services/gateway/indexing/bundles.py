"""Packs several files of a form into one zip, which is made while it is sent."""

from collections.abc import AsyncIterator, Sequence
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from starlette.datastructures import UploadFile

BLOCK_BYTES = 1 << 20


async def blocks_of(file: UploadFile) -> AsyncIterator[bytes]:
    """The blocks of a file."""
    while block := await file.read(BLOCK_BYTES):
        yield block


async def zip_of(files: Sequence[UploadFile]) -> AsyncIterator[bytes]:
    """A zip of files in their order. It is not compressed, since the indexer is near."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_STORED) as archive:
        for number, file in enumerate(files, start=1):
            about = ZipInfo(file.filename or f"file {number}")
            with archive.open(about, "w", force_zip64=True) as member:
                async for block in blocks_of(file):
                    member.write(block)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """The bytes that were written since they were last taken."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        """Adds a block to the bytes that wait to be taken; returns its length."""
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Does nothing, since no bytes are held back."""

    def close(self) -> None:
        """Does nothing, since there is nothing to close."""

    def taken(self) -> bytes:
        """The bytes that were written since the last call."""
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)
