"""Makes the record of a file that is one document, which is read in the sandbox."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from services.common.documents import BYTES
from services.indexer.intake.about import About
from services.indexer.intake.files.copies import on_disk
from services.indexer.intake.files.extracted import Extracted, Unreadable, within
from services.indexer.intake.record import Record

DIGEST = "sha256"
"""Name of the value of a record that holds the digest of the file, for a mapping that takes it as
id."""


def whole(stream: IO[bytes], about: About) -> Iterator[Record]:
    """The record of a file's document, or of the reason why there is none."""
    shown = PurePosixPath(about.name).name
    try:
        with on_disk(stream) as (path, digest):
            [part] = about.sandbox.read(about.format, path, about.charset)
            values = _values(Extracted(**part), about, digest)
            yield Record(0, values, excerpt=shown, file=path)
    except Unreadable as problem:
        yield Record(0, None, str(problem), shown)


def _values(found: Extracted, about: About, digest: str) -> dict[str, Any]:
    """The values of the document.

    Its id is the name of the file, so that a new version of the file replaces it; without a name it
    is the digest.
    """
    name = about.name or digest
    values: dict[str, Any] = {"id": name, **found.fields, "format": about.format.value}
    if about.name:
        values["file"] = about.name
    if about.mapping.id == DIGEST:
        del values["id"]
        values[DIGEST] = digest
    values["title"] = found.title or within(PurePosixPath(about.name).stem, BYTES["title"])
    values["text"] = within(found.abstract, BYTES["text"])
    values["body"] = found.body
    if found.left_out:
        values["characters_left_out"] = found.left_out
    return values
