"""One normal form of text, for words, encoders, rankers and highlights.

What people type and what files hold differs in ways that say nothing: Traditional or Simplified
characters, full or half width, invisible characters, spaces inside a Chinese word, markup. The
normal form removes these differences. Case is kept, because tokenizers of models may need it.

`normalise` gives the text alone and is fast; `normalised` gives the same text with the place in
the raw text that each of its characters comes from.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from html.entities import html5

import opencc

from services.common.text.edits import Edit, Normalised, Step, edited, replacing

VERSION = 1
"""Version of the normal form, which is part of the identity of models and word analyses. Raise it
with any change of the result."""

HAN = r"\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, as the inside of a character class of a regular expression."""


def normalise(text: str) -> str:
    """The normal form of a text. Texts that mean the same to a reader become equal."""
    if text.isascii() and not _ASCII_CHANGES.search(text):
        return text
    for step in _STEPS:
        text = step.plain(text)
    return text


def normalised(text: str) -> Normalised:
    """The normal form with offsets; its `text` equals `normalise(text)`."""
    result = Normalised(text, range(len(text)), range(1, len(text) + 1))
    for step in _STEPS:
        edits = list(step.edits(result.text))
        if edits:
            result = edited(result, edits)
    return result


# Bibliographic files hold HTML and JATS: CO<sub>2</sub>, R&amp;D, &amp;lt;.
_ENTITIES = replacing(
    r"(?i:&(?:amp;)*(#\d{1,7};|#x[0-9a-f]{1,6};|[a-z][a-z0-9]{1,30};))",
    lambda match: _character(match[1]) or match[0],
)


def _character(reference: str) -> str | None:
    """The character that an HTML reference such as `alpha;` or `#945;` names."""
    return html.unescape(f"&{reference}") if reference[0] == "#" else html5.get(reference)


_ATTRIBUTES = r"(?:\s+[a-z:_-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*/?>"
_POWERS = replacing(
    rf"(?i:<sup{_ATTRIBUTES}\s*([-+−–]?[0-9]+)\s*</sup>)",
    lambda match: f"^{match[1]}" if _is_power(match, match[1]) else match[0],
)
_INLINE_TAGS = replacing(
    r"(?i:</?(?:jats:|mml:)?(?:sub|sup|inf|i|b|u|s|em|strong|italic|bold|sc|small|big|strike|tt|span"
    rf"|font|a|mi|mn|mo|mrow|math|msub|msup|mtext){_ATTRIBUTES})",
    lambda _: "",
)
_BLOCK_TAGS = replacing(
    rf"(?i:</?(?:jats:)?(?:p|br|div|title|sec|h[1-6]|li|ul|ol|table|tr|td|th){_ATTRIBUTES})",
    lambda _: " ",
)
# Format characters: soft hyphen, zero-width characters, direction marks, byte order mark.
_INVISIBLE = replacing(
    r"[\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    r"\U000e0000-\U000e01ef]+",
    lambda _: "",
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = replacing(
    "[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+",
    lambda match: (
        f"^{match[0].translate(_SUPERSCRIPTS)}" if _is_power(match, match[0]) else match[0]
    ),
)


def _is_power(match: re.Match[str], raised: str) -> bool:
    """Whether raised digits are an exponent: 10³ and cm⁻¹ are, m² and ¹³C are not.

    Written on the line, 10³ would become the number 103.
    """
    before = match.string[match.start() - 1 : match.start()]
    return raised[0] in "-−–⁻" or (before.isascii() and before.isdigit())


_SIGNS = {
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("〜∼", "~"),
    **dict.fromkeys("‘’ʼ", "'"),
    "⁄": "/",
}
_ONE_SIGN = replacing(f"[{''.join(_SIGNS)}]", lambda match: _SIGNS[match[0]])


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


_NOT_ALREADY_NFKC = re.compile(r"[^\x00-\x7f\u3001-\u3003\u3008-\u3011\u4e00-\u9fff]+")


def _compatible_edits(text: str) -> Iterator[Edit]:
    """NFKC by groups of a character and the marks that follow it, one edit a group."""
    for run in _NOT_ALREADY_NFKC.finditer(text):
        start, end = max(run.start() - 1, 0), run.end()
        if unicodedata.is_normalized("NFKC", text[start:end]):
            continue
        first = start
        for at in range(start + 1, end + 1):
            if at < end and _joins_left(text[at]):
                continue
            group = text[first:at]
            new = _compatible(group)
            if new != group:
                yield first, at, new
            first = at


def _joins_left(character: str) -> bool:
    """Whether NFKC may join the character with the one before it, as it does marks and the later
    Hangul letters, in half width too: ﾀﾞ, ㄱㅏ."""
    first = unicodedata.normalize("NFKD", character)[0]
    return unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"


_COMPATIBLE = Step(_compatible, _compatible_edits)

_HAN_RUN = re.compile(f"[{HAN}]+")


@cache
def _simplifier() -> Callable[[str], str]:
    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


def _simplified(text: str) -> str:
    return _simplifier()(text)


def _simplified_edits(text: str) -> Iterator[Edit]:
    if _simplified(text) == text:  # Converting run by run takes six times as long.
        return
    for run in _HAN_RUN.finditer(text):
        new = _simplified(run[0])
        if new != run[0]:
            yield run.start(), run.end(), new


_SIMPLIFIED = Step(_simplified, _simplified_edits)

# After NFKC these are all that is left of white space and control characters.
_SPACES = replacing(
    r"[\x00-\x20\x7f-\xa0\u1680\u2028\u2029]+",
    lambda match: "" if _vanishes(match) else " ",
)


def _vanishes(match: re.Match[str]) -> bool:
    """Whether spaces are removed, as in 微 积 分 and BERT 模型.

    All others, as in 水稻 冻土, become one space.
    """
    text, (start, end) = match.string, match.span()
    if start == 0 or end == len(text):
        return True
    left, right = _is_han(text, start - 1), _is_han(text, end)
    if left and right:
        return not _is_han(text, start - 2) and not _is_han(text, end + 1)
    if left or right:
        other = text[end] if left else text[start - 1]
        return other.isascii() and other.isalnum()
    return False


def _is_han(text: str, at: int) -> bool:
    return 0 <= at < len(text) and _HAN_RUN.match(text, at) is not None


_ASCII_CHANGES = re.compile(r"&|<|^\s|\s$|\s\s|[\x00-\x1f\x7f]")
"""Pattern that a text of ASCII characters matches if it may differ from its normal form."""

_STEPS = (
    _ENTITIES,
    _POWERS,
    _INLINE_TAGS,
    _BLOCK_TAGS,
    _INVISIBLE,
    _RAISED,
    _COMPATIBLE,
    _ONE_SIGN,
    _SIMPLIFIED,
    _SPACES,
)
