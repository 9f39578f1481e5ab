"""Characters that the charset of an output lacks, such as those of emoji in GBK."""

import codecs
import io
from typing import TextIO


def escape_what_is_lacking(stream: TextIO) -> None:
    """Lets a stream write a character that its charset lacks as JSON does, `\\ud83d`, so that JSON
    stays whole. A stream whose owner has said what to do with such characters stays as it is."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        codecs.register_error("xunwen_json", _escaped)
        stream.reconfigure(errors="xunwen_json")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex(" ", 2)
    return "".join(f"\\u{unit}" for unit in units.split()), error.end
