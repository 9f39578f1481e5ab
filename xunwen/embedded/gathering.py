"""Gathers the documents that the launcher indexes in a file of the home directory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xunwen.embedded.preflight import disk_error
from xunwen.embedded.settings import EmbeddedSettings


@contextmanager
def gathered(settings: EmbeddedSettings, content: Iterable[bytes]) -> Iterator[Path]:
    """A file with this content, which is deleted after the block. Raises EmbeddedError if it cannot
    be written."""
    file = settings.run_dir / "documents.jsonl"
    try:
        try:
            with file.open("wb") as stream:
                stream.writelines(content)
        except OSError as error:
            raise disk_error(error, settings) from error
        yield file
    finally:
        file.unlink(missing_ok=True)
