"""Reads a JSON array of objects element by element, in the memory of one element."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from services.indexer.intake.record import EXCERPT_CHARS, MAX_LINE_BYTES, BadInput, Record

_BLOCK_BYTES = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = 4_000
"""Most digits that are read of an integer; Python refuses to read 4,300. One of more than 19 is
rejected in any case."""


def integer(digits: str) -> int:
    """An integer of JSON; of one with too many digits the beginning."""
    return int(digits[:_DIGITS])


_DECODER = json.JSONDecoder(parse_int=integer)


def array(stream: IO[bytes]) -> Iterator[Record]:
    """A record for each element, counted from 1. Raises BadInput if the array is damaged."""
    text = _Text(stream)
    if text.sign() != "[":
        raise BadInput("The input is no JSON array; send JSON lines with format=jsonl.")
    text.place += 1
    while text.sign() != "]":
        if text.elements:
            if text.sign() not in (",", ""):
                raise text.damaged("a comma is missing")
            text.place += 1
        if not text.sign():
            raise text.damaged("it ends there")
        value, shown = _element(text)
        text.elements += 1
        problem = "" if isinstance(value, dict) else "is not a JSON object"
        yield Record(text.elements, None if problem else value, problem, shown)
    text.place += 1
    if text.sign():
        raise BadInput(f"Behind the JSON array, which has {text.elements:,} elements, comes more.")


class _Text:
    """The text that has been read and not used, extended as needed."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._ended = False
        self.content = ""
        self.place = 0
        """Position of the next character in the content."""
        self.elements = 0
        """Number of elements that were read whole."""

    @property
    def left(self) -> int:
        """Number of characters at hand."""
        return len(self.content) - self.place

    def more(self) -> bool:
        """Reads further text, at least doubling the unused part; False at the end. Raises
        BadInput."""
        if self._ended:
            return False
        block = self._stream.read(max(_BLOCK_BYTES, self.left))
        self._ended = not block
        try:
            text = self._decoder.decode(block, final=self._ended)
        except UnicodeDecodeError:
            raise self.damaged("it is not UTF-8; declare its `charset`") from None
        self.content = self.content[self.place :] + text
        self.place = 0
        return not self._ended

    def sign(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self.content, self.place)
            self.place = match.end() if match else self.place
            if self.left or not self.more():
                return self.content[self.place : self.place + 1]

    def damaged(self, why: str) -> BadInput:
        """The error that the array cannot be read any further."""
        return BadInput(
            f"The JSON array is damaged or cut off behind element {self.elements:,}:"
            f" {why}. Write it again."
        )


def _element(text: _Text) -> tuple[Any, str]:
    """The element that begins here, and its first character. Raises BadInput."""
    while True:
        try:
            value, end = _DECODER.raw_decode(text.content, text.place)
        except RecursionError:
            raise text.damaged("the next one is nested too deeply") from None
        except ValueError as error:
            if text.left > MAX_LINE_BYTES or not text.more():
                reason = error.msg if isinstance(error, json.JSONDecodeError) else "it is no JSON"
                raise text.damaged(reason) from None
            continue
        # A number at the end of the unused text may continue in the next block.
        if end == len(text.content) and text.more():
            continue
        shown = text.content[text.place : min(end, text.place + EXCERPT_CHARS)]
        text.place = end
        return value, shown
