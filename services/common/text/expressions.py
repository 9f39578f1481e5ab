"""Words of everything that is not Chinese: numbers, units, standards, versions, formulas, names.

An *expression* is a run of letters and digits with the signs that join them: `3.14`, `gb/t`,
`il-6`, `c++`, `10^-3`, `v2.8.1`. Its signs carry meaning, so each kind of expression says which
words it gives. It gives several words where people write it in several ways (IL-6 and IL6, 10cm
and 10 cm), and none of its parts where a part alone means something else (the 14 of 3.14).

All text here is in normal form and lower case.
"""

import re
from collections.abc import Iterator
from functools import lru_cache, partial

from services.common.text.normalise import HAN

_KANA = r"\u3040-\u30ff\u31f0-\u31ff"
_LETTER = rf"[^\W\d_{HAN}{_KANA}]"
_ANY = rf"[^\W_{HAN}{_KANA}]"
_UNIT_SIGN = "%|‰|°c?"
EXPRESSION = re.compile(
    r"(?:(?<![^\s(\[,;=<>~、。])[-+]|±)?"  # a sign, unless it joins what stands before it
    rf"(?:(?<![.\w])\.(?=\d)|\.(?=net(?!{_ANY})))?"
    rf"{_ANY}+(?:(?:\^[-+]?|(?:{_UNIT_SIGN})?[-~]|[./_&',:*×]){_ANY}+)*"
    rf"(?:\+\+|{_UNIT_SIGN}|[#+])?"
)
"""One expression. Chinese characters and kana are never part of it."""

_SEPARATORS = re.compile(r"[,:~*×]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
_BARE_POINT = re.compile(r"(?<![\w.])\.(?=\d)")
_QUANTITY = re.compile(rf"(\d+(?:\.\d+)*)({_LETTER}+|{_UNIT_SIGN})?")
_POWER = re.compile(rf"(\d+\^[-+]?\d+)({_LETTER}+)?")
_CODE = re.compile(rf"({_LETTER}+)(\d+(?:\.\d+)*)")
_NUMBER_AND_UNIT = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)*) ?({_LETTER}+|{_UNIT_SIGN})")
_LANGUAGE = re.compile(rf"{_LETTER}+\+\+|{_LETTER}#")
_NAME_LETTERS = 3
"""Letters that make a part of a name a word of its own: covid of covid-19, but not il of il-6."""
_CODE_DIGITS = 3
"""Digits that make a number in a code a word of its own: 7714 of gb7714, but not 12 of b12."""
_NAME_AND_NUMBER = re.compile(
    rf"(?<!{_LETTER})({_LETTER}{{2,}}) ?(\d+(?:\.\d+)+(?![\d.])|\d{{{_CODE_DIGITS},}}(?![\d.]))"
)
_APART = re.compile(rf"(?<![^\s{HAN}])({_LETTER}+) (\d+)(?!{_ANY}|\.\d|[-~/%‰°])")
_REMEMBERED_CHARS = 64
"""Longest expression whose words are kept in memory. Sequences of genes and pictures as text are
expressions of any length, and each is seen once."""


def words_of_expressions(text: str) -> list[str]:
    """The words of all expressions of a text, in the order in which they are read."""
    return [word for match in EXPRESSION.finditer(text) for word in expression_words(match[0])]


def joined_names(text: str) -> list[str]:
    """The names of a text that stand a space before their number, without that space: il6 for IL 6,
    which is also what IL-6 gives."""
    return [name + number for name, number in _APART.findall(text)]


def expression_words(expression: str) -> tuple[str, ...]:
    """The words of one match of EXPRESSION, in the order in which they are read."""
    if len(expression) > _REMEMBERED_CHARS:
        return _cut(expression)
    return _remembered(expression)


@lru_cache(maxsize=8192)
def _remembered(expression: str) -> tuple[str, ...]:
    return _cut(expression)


def _cut(expression: str) -> tuple[str, ...]:
    whole = _BARE_POINT.sub("0.", _THOUSANDS.sub("", expression))
    parts = [part for part in _SEPARATORS.split(whole) if part]
    return tuple(word for part in _with_last_unit(parts) for word in _part_words(part))


def _with_last_unit(parts: list[str]) -> list[str]:
    """The ends of a range share a percent sign: 5~10% is 5% and 10%."""
    sign = parts[-1][-1]
    if sign not in "%‰":
        return parts
    return [part + sign if part[-1].isdigit() else part for part in parts]


def _part_words(part: str) -> Iterator[str]:
    sign, bare = (part[0], part[1:]) if part[0] in "+-±" else ("", part)
    pieces = re.split("[/&]", bare)
    if len(pieces) > 1:
        for piece in pieces:
            yield from _joined_words(piece)
        if all(piece.isalnum() for piece in pieces):
            yield bare
        return
    words = list(_joined_words(bare))
    yield from words
    if sign in ("-", "±") and _QUANTITY.fullmatch(bare):
        yield sign + words[0]


def _joined_words(text: str) -> Iterator[str]:
    """Words of what hyphens and underscores join: a range, a date, or a name and its parts."""
    if power := _POWER.fullmatch(text):
        yield from filter(None, power.groups())
        return
    text = re.sub(r"\^\+?", "", text).removesuffix("'s")
    pieces = [piece for piece in re.split("[-_']", text) if piece]
    if len(pieces) == 1:
        yield from _piece_words(pieces[0])
    elif all(_QUANTITY.fullmatch(piece) for piece in pieces):
        yield from _range_words(pieces)
    else:
        for piece in pieces:
            if len(piece) >= _NAME_LETTERS or not piece.isascii():
                yield from _piece_words(piece)
        yield "".join(pieces)


def _range_words(pieces: list[str]) -> Iterator[str]:
    for piece in _with_last_unit(pieces):
        yield from _piece_words(piece)
    if len(pieces) > 2:  # a date or another number in groups
        yield "-".join(pieces)
    elif pieces[0] == "10" and len(pieces[1]) == 1:
        yield f"10^-{pieces[1]}"  # a power of ten in text that has lost its superscripts


def _piece_words(piece: str) -> Iterator[str]:
    if _LANGUAGE.fullmatch(piece):
        yield piece
        return
    piece = piece.rstrip("+#")
    if quantity := _QUANTITY.fullmatch(piece):
        yield from _quantity_words(piece, quantity[1], quantity[2])
    elif code := _CODE.fullmatch(piece):
        yield from _code_words(piece, code[1], code[2])
    elif "." in piece:
        yield from _dotted_words(piece)
    elif piece:
        yield piece


def _quantity_words(piece: str, number: str, unit: str | None) -> Iterator[str]:
    """A number with a unit is found by both, and by the number with a space: 10cm and 10 cm.

    A number with a single letter is a name and found whole only: 5 does not find 5g.
    """
    if unit is None or _stands_apart(number, unit):
        yield number
    if unit is not None:
        yield piece


def _stands_apart(number: str, unit: str) -> bool:
    """Whether people also write a space between a number and its unit."""
    return len(unit) > 1 or unit in "%‰°" or "." in number


def spaced(word: str) -> str | None:
    """A quantity with a space before its unit: 10 cm for 10cm; None for any other word."""
    quantity = _QUANTITY.fullmatch(word)
    if quantity is None or quantity[2] is None or not _stands_apart(quantity[1], quantity[2]):
        return None
    return f"{quantity[1]} {quantity[2]}"


def other_spellings(text: str) -> frozenset[str]:
    """The words that a text would give with a space between numbers and their units or names where
    it has none, and without one where it has it: 3.5mm and 3.5 mm, iso9001 and iso 9001."""
    ways = (
        pattern.sub(partial(_respelled, gap), text)
        for pattern in (_NUMBER_AND_UNIT, _NAME_AND_NUMBER)
        for gap in ("", " ")
    )
    return frozenset(word for way in ways if way != text for word in words_of_expressions(way))


def _respelled(gap: str, match: re.Match[str]) -> str:
    """A number and its unit, or a name and its number, with `gap` between them; as they are where
    people do not write both."""
    first, second = match.groups()
    apart = second[0].isdigit() or _stands_apart(first, second)
    return f"{first}{gap}{second}" if apart else match[0]


def _code_words(piece: str, name: str, number: str) -> Iterator[str]:
    """A name and a number without a space: pm2.5, v2.8.1, iso9001, b12."""
    separate = "." in number or len(number) >= _CODE_DIGITS
    if len(name) >= (2 if separate else _NAME_LETTERS):
        yield name
    if separate:
        yield number
    yield piece


def _dotted_words(piece: str) -> Iterator[str]:
    """The words of a name with dots: node.js and asp.net give themselves and their longer parts,
    fig.2 gives fig and 2."""
    parts = [part for part in piece.split(".") if part]
    if parts[0].isalpha() and parts[-1].isdigit():
        yield from parts
        return
    if len(parts) > 1:
        yield from (part for part in parts if len(part) >= _NAME_LETTERS)
    if parts[-1] == "net":
        yield ".net"
    if piece != ".net":
        yield piece
