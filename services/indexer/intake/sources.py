"""The files of an input, which is a single file or a zip of files. Each file is read by itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import IO
from zipfile import ZipFile

from services.common.errors import InvalidRequest, SearchError
from services.common.wire.input_formats import Charset, InputFormat, format_of_name
from services.indexer.intake import archive
from services.indexer.intake.about import About
from services.indexer.intake.charsets import as_utf8
from services.indexer.intake.columns import ColumnKinds
from services.indexer.intake.compression import decompressed
from services.indexer.intake.files.copies import on_disk
from services.indexer.intake.files.extracted import Unreadable
from services.indexer.intake.foreign import CITATIONS, check_magic, export_of
from services.indexer.intake.formats import READERS
from services.indexer.intake.mapping import DocumentMapper, FieldMapping
from services.indexer.intake.record import BadInput, Record
from services.indexer.intake.sniff import check_beginning, check_columns_of

Opener = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens an input at its beginning; it can be called repeatedly."""
_HEAD_BYTES = 1 << 20
_SHOWN = 3
"""Most files of a zip that the message of a refusal names."""
SEEKING = (InputFormat.PARQUET, InputFormat.XLSX, InputFormat.XLS)
"""Formats whose readers move within the file."""
STORED_FIRST = (*SEEKING, InputFormat.ZIP)
"""Formats of which only the whole input shows whether it can be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of an input."""

    about: About
    open: Opener
    """Opens the file at its beginning; it can be called repeatedly."""
    member: str = ""
    """Name of the file in a zip; empty for the only file of an input."""
    problem: str = ""
    """Reason why the file is not read; empty if it is read."""

    @contextmanager
    def records(self) -> Iterator[Iterator[Record]]:
        """The records of the file, from its beginning. Raises BadInput, also while they are
        read."""
        if self.problem:
            yield iter([Record(0, None, self.problem, self.member)])
            return
        with self.content() as stream:
            yield READERS[self.about.format](stream, self.about)

    @contextmanager
    def content(self) -> Iterator[IO[bytes]]:
        """The file from its beginning, decompressed, and in UTF-8 if its format is one of lines.
        Raises BadInput, also while it is read."""
        about = self.about
        with ExitStack() as stack:
            stream = stack.enter_context(decompressed(stack.enter_context(self.open())))
            if not about.format.binary and not about.format.whole:
                stream = stack.enter_context(as_utf8(stream, about.charset or Charset.UTF8))
            yield stream

    def mapper(self, check: Callable[[], None]) -> DocumentMapper:
        """Makes documents of the records, of a table without types after a look at all of them:
        which columns hold numbers. `check` is called often and raises to stop. Raises BadInput."""
        kind, mapping = self.about.format, self.about.mapping
        kinds = None
        if not kind.typed or mapping.lists:
            kinds = ColumnKinds(mapping.types, mapping.signs())
        if kinds and not kind.typed and not self.problem:
            with self.records() as records:
                kinds.look(records, check, mapping.reserved())
        columns = kind is InputFormat.PARQUET or not kind.typed
        return DocumentMapper(mapping, columns=columns, kinds=kinds, entries=kind in CITATIONS)


@contextmanager
def sources(open_input: Opener, about: About) -> Iterator[Iterator[Source]]:
    """The files of an input, in their order. Raises BadInput for a zip that cannot be read."""
    if about.format is not InputFormat.ZIP:
        yield iter([Source(about, open_input)])
        return
    with open_input() as stream, archive.opened(stream) as zipped:
        found = archive.members(zipped)
        yield (_source(zipped, member, about) for member in found)


def check_stored(open_input: Opener, about: About) -> FieldMapping:
    """The mapping for an input in a format of STORED_FIRST.

    A zip is refused if none of its files can be read. Raises InvalidRequest, UnsupportedFormat,
    Unavailable.
    """
    if about.format is not InputFormat.ZIP:
        with open_input() as stream:
            return check_columns_of(stream, about)
    try:
        with sources(open_input, about) as found:
            problems = []
            for source in found:
                if not source.problem:
                    return about.mapping
                problems.append(f"{source.member}: {source.problem}")
    except BadInput as error:
        raise InvalidRequest(str(error)) from error
    shown = "; ".join(problem.rstrip(".") for problem in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
    raise InvalidRequest(
        f"Not one of the {len(problems):,} files in the zip can be read: {shown}{more}."
    )


def _source(zipped: ZipFile, member: archive.Member, about: About) -> Source:
    """A file of a zip, with the charset and the mapping that its beginning shows."""
    reading = partial(archive.content, zipped, member)
    problem = ""
    try:
        named, _ = format_of_name(member.name)
        if named is None:
            problem = "is of no format that is read, by the ending of its name"
        elif named is InputFormat.ZIP:
            problem = "is a zip in a zip; send it for itself"
        problem = problem or member.problem
        if named and not problem:
            kind, head = _recognised(named, reading)
            about = replace(about, format=kind, name=member.name)
            if kind in SEEKING:
                check_magic(head, kind)
                reading = partial(_seekable, reading)
                with reading() as stream:
                    about = replace(about, mapping=check_columns_of(stream, about))
            else:
                recognised = check_beginning(head, kind, about.mapping, about.charset)
                about = replace(about, charset=recognised.charset, mapping=recognised.mapping)
    except (BadInput, Unreadable) as error:
        problem = str(error)
    except SearchError as error:
        if error.status >= 500:
            raise  # The storage failed, and not the file.
        problem = error.detail
    return Source(about, reading, member.name, problem)


def _recognised(kind: InputFormat, reading: Opener) -> tuple[InputFormat, bytes]:
    """The format of a file in a zip, from the format that its name shows and its first bytes.
    Raises BadInput."""
    with reading() as stream:
        head = stream.read(_HEAD_BYTES)
    if kind is InputFormat.LINES:
        # In a folder of files a text is a document, unless it is an export of citations.
        return export_of(head) or InputFormat.TEXT, head
    if kind is InputFormat.JSON and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return InputFormat.JSONL, head
    return kind, head


@contextmanager
def _seekable(
    reading: Opener,
) -> Iterator[IO[bytes]]:
    """A copy on disk, within which a reader can move. Raises BadInput."""
    with ExitStack() as stack:
        try:
            path, _ = stack.enter_context(on_disk(stack.enter_context(reading())))
        except Unreadable as problem:
            raise BadInput(f"The file {problem}.") from None
        yield stack.enter_context(path.open("rb"))
