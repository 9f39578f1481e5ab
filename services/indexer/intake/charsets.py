"""Input that is not UTF-8: read in the charset that is declared, marked or recognised.

A declared charset wins over what the text seems to be. One is recognised only where the bytes are
those of frequent characters of one charset and the characters are those of Chinese text: a wrong
guess would index nonsense. (charset-normalizer, the kept detector, named another charset for 22 of
251 titles alone; this one for none.)
"""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from services.common.wire.input_formats import Charset
from services.indexer.intake.frequent import is_chinese

_BLOCK_BYTES = 1 << 16
_SAMPLED_BYTES = 1 << 16
"""Number of bytes by which the charset of a whole text is recognised."""
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CODECS = {Charset.BIG5: "big5hkscs"}
"""Codecs of the supersets that are decoded, for charsets whose superset has another name."""
_FREQUENT = {Charset.GB18030: ("gb2312", 0xD7), Charset.BIG5: ("big5", 0xC6)}
"""The codec and the last first byte of a charset's punctuation and frequent characters."""
_LIKELY = 0.6
"""Share of frequent characters above which a text is taken for one of that charset."""


def _undecodable(error: UnicodeError) -> tuple[str, int]:
    """Replaces undecodable bytes by a character that UTF-8 cannot hold, so that the line is
    rejected."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("xunwen.undecodable", _undecodable)


class CharsetUnknown(Exception):
    """A text cannot be decoded. The message is the reason, for the user, without a subject."""


@contextmanager
def as_utf8(stream: IO[bytes], declared: Charset) -> Iterator[IO[bytes]]:
    """A stream of the same text in UTF-8; bytes that cannot be decoded become invalid UTF-8."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_Raw(stream))
    codec = _codec(buffered.peek(2)[:2], declared)
    yield buffered if codec is None else io.BufferedReader(_Utf8(buffered, codec))


def marked(plain: bytes) -> bool:
    """Whether a byte order mark tells that a text is UTF-16."""
    return plain.startswith(_MARKS)


def beginning_as_utf8(plain: bytes, declared: Charset) -> bytes:
    """The first bytes of an input in UTF-8; they may end within a character."""
    codec = _codec(plain, declared)
    if codec is None:
        return plain
    return _decoder(codec).decode(plain).encode("utf-8", "surrogateescape")


def likely_charset(plain: bytes) -> Charset | None:
    """The charset that the beginning of an undeclared input seems to have, None if unknown.

    UTF-8 also where some lines are UTF-8 and others are not: those are rejected one by one. A line
    that reads well in the charset of the others is no sign of UTF-8: the GB18030 bytes of 摘要 are
    UTF-8 by accident.
    """
    whole = plain[: plain.rfind(b"\n") + 1] or plain
    lines = [line for line in whole.splitlines() if not line.isascii()]
    valid = [line for line in lines if _is_utf8(line)]
    if len(valid) == len(lines):
        return Charset.UTF8
    text = b"\n".join(line for line in lines if not _is_utf8(line))
    scores = {charset: _score(text, charset) for charset in _FREQUENT}
    best = max(scores, key=lambda charset: scores[charset])
    if scores[best] < _LIKELY:
        return Charset.UTF8 if valid else None
    if any(_score(line, best) < _LIKELY for line in valid):
        return Charset.UTF8
    sample = text[:_SAMPLED_BYTES].decode(_CODECS.get(best, best.value), "ignore")
    return best if is_chinese(sample) else None


def text_of(content: bytes, declared: Charset | None) -> str:
    """A whole text, decoded by its byte order mark, else as declared, else as recognised.

    Nothing in it is replaced. Raises CharsetUnknown.
    """
    charset = declared or _recognised(content)
    if charset is None:
        raise CharsetUnknown(
            "is in no charset that is recognised; declare its `charset` or convert it to UTF-8"
        )
    codec = _codec(content[:2], charset) or "utf-8-sig"
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        raise CharsetUnknown(f"cannot be read as {charset} from byte {error.start:,} on") from None
    if "\x00" in text:
        raise CharsetUnknown("is no text: it holds zeros")
    return text


def _recognised(content: bytes) -> Charset | None:
    """The charset of a whole text that declares none; None if it is not a known one."""
    if _is_utf8(content) or marked(content):
        return Charset.UTF8
    if every_second_zero(content[:4096]):
        return Charset.UTF16
    likely = likely_charset(content[:_SAMPLED_BYTES])
    return None if likely is Charset.UTF8 else likely


def every_second_zero(head: bytes) -> bool:
    """Whether the bytes are, for the most part, ASCII in 16 bits a character."""
    odd = head[1::2]
    return len(head) >= 4 and 2 * odd.count(0) > len(odd) and b"\x00" not in head[::2]


def misread(text: str) -> str:
    """The Chinese text of a text in UTF-8 whose bytes are frequent characters of GB18030; else
    empty.

    It serves as a hint beside a refusal, since a text in Cyrillic may look so by accident.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if text.isascii() or _score(raw, Charset.GB18030) < 1:
        return ""
    return raw.decode(_CODECS.get(Charset.GB18030, Charset.GB18030.value))


class _Raw(io.RawIOBase):
    """A stream that can be read, in the form that io.BufferedReader needs."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


class _Utf8(io.RawIOBase):
    """Decodes one charset and encodes another, in constant memory."""

    def __init__(self, stream: IO[bytes], codec: str) -> None:
        self._stream = stream
        self._decoder = _decoder(codec)
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._ready and not self._ended:
            block = self._stream.read(_BLOCK_BYTES)
            self._ended = not block
            text = self._decoder.decode(block, final=self._ended)
            self._ready = text.encode("utf-8", "surrogateescape")
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def _codec(head: bytes, declared: Charset) -> str | None:
    """Python's codec for an input by its byte order mark, else as declared; None for UTF-8."""
    if marked(head):
        return "utf-16"
    if declared is Charset.UTF16:
        return "utf-16-le"
    return None if declared is Charset.UTF8 else _CODECS.get(declared, declared.value)


def _decoder(codec: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(codec)("xunwen.undecodable")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _score(text: bytes, charset: Charset) -> float:
    """Share of the frequent characters of the charset among those that are not ASCII."""
    try:
        decoded = text.decode(_CODECS.get(charset, charset.value))
    except UnicodeDecodeError:
        return 0.0
    foreign = [char for char in decoded if not char.isascii()]
    return sum(_is_frequent(char, charset) for char in foreign) / max(1, len(foreign))


def _is_frequent(char: str, charset: Charset) -> bool:
    codec, last = _FREQUENT[charset]
    try:
        return char.encode(codec)[0] <= last
    except UnicodeEncodeError:
        return False
