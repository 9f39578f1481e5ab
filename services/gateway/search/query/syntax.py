"""Queries with operators in one box, and what they mean.

    author:张三 year:2015..2020 -综述 "卷积神经网络" journal:"中国科学"

    field:value          the field is or holds the value; "…" where it has spaces, a|b for either,
                         in quotation marks too: "a b"|"c d"
    field:2015..2020     a range; either end may be missing; also field:>=2015, ≥, >, <=, ≤, <
    -field:value         documents whose field is another one
    field:value^3        no condition: a boost of documents whose field is or holds the value
    "…"                  title or text hold the phrase, characters in this order
    -word, -"…"          title and text hold neither

An operator stands at the beginning of the query or after white space, and only a field of the
collection makes a colon one. Signs may be full-width ones, as Chinese keyboards write them; only
behind a Chinese name a full-width colon is text. All else keeps its meaning: GB/T 7714-2015, 3:1,
CO2-还原, -5℃, “双碳”目标下的转型, Python:入门.
"""

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.errors import InvalidRequest
from services.common.text.analyzer import compared
from services.common.wire.boosts import MAX_BOOSTED_VALUES, MAX_FACTOR, MIN_FACTOR, Boost

COMMON_FIELDS = (
    "author", "authors", "year", "journal", "keyword", "keywords", "discipline", "category",
    "source",
)  # fmt: skip
"""Fields that are assumed while those of the collection are not known."""

_CHINESE = {
    "作者": ("authors", "author"),
    "年份": ("year",),
    "期刊": ("journal",),
    "关键词": ("keywords", "keyword"),
    "学科": ("discipline",),
    "类别": ("category",),
    "来源": ("source",),
}
"""Names that each stand for the first of these fields that the collection has."""
_GROUPS = frozenset(
    {"OH", "COOH", "COO", "NH", "NH2", "CH2", "CH3", "SH", "CHO", "NO2", "SO2", "SO3H", "CN"}
    | {"OCH3", "CO", "CONH", "CONH2", "Cl", "Br"}
)
"""Chemical groups, which are written with the hyphen of their bond."""

_QUOTES = {'"': '"', "＂": "＂", "“": "”", "„": "”"}
_OPEN, _CLOSE = "".join(_QUOTES), "".join(dict.fromkeys(_QUOTES.values()))
_MINUS, _OR = "-－", "|｜"
_PHRASE = re.compile(
    rf"(?P<minus>[{_MINUS}])?[{_OPEN}](?P<phrase>[^{_OPEN}{_CLOSE}]*)[{_CLOSE}](?=\s|$)"
)
_VALUE = rf"(?:[{_OPEN}][^{_OPEN}{_CLOSE}]*[{_CLOSE}]|[^\s^{_OR}{_OPEN}{_CLOSE}]+)"
"""One value, with or without quotation marks."""
_FIELD = re.compile(
    rf"(?P<minus>[{_MINUS}])?(?:(?P<name>[A-Za-z_][A-Za-z0-9_]{{0,63}})[:：]|"
    rf"(?P<other>[^\W\d]\w{{0,63}}):)"
    rf"(?:(?=\S*[{_OPEN}])(?P<quoted>{_VALUE}(?:[{_OR}]{_VALUE})*)(?:\^(?P<by>\S*))?(?=\s|$)|"
    r"(?P<bare>\S+))"
)
"""A field with its values: `quoted` if at least one of them has quotation marks, else `bare`."""
_WORD = re.compile(r"\S+")
_LEFT_OUT = re.compile(rf"[{_MINUS}](?P<word>[^\W\d_]\S*)")
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,15})?")
_RANGE = re.compile(r"(?P<low>[^.]\S*?)?\.\.(?P<high>\S*[^.])?")
_COMPARED = re.compile(r"(?P<sign>[>＞][=＝]?|[<＜][=＝]?|[≥≧≤≦])(?P<bound>\S+)")
_RAISED = re.compile(r"(?P<value>\S*)\^(?P<by>[^^]*)")
_FACTOR = re.compile(r"\d{1,3}(?:\.\d{1,6})?")
_SIGNS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
_ONE_SIGN = str.maketrans(
    {"＞": ">", "＜": "<", "＝": "=", "≥": ">=", "≧": ">=", "≤": "<=", "≦": "<="}
)
_DATE = re.compile(r"\d{4}-\d")
_YEARS = range(1000, 9999)
_ALIKE = 0.75
"""Likeness, as difflib measures it, from which an unknown name counts as a slip of the pen."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """The meaning of a query with operators."""

    query: str
    """The words and phrases to search for; empty if there are none."""
    conditions: Sequence[dict[str, Any]] = ()
    """Filters, which must all hold."""
    phrases: Sequence[str] = ()
    exclude: Sequence[str] = ()
    boosts: Sequence[Boost] = ()


def understood(text: str, fields: Collection[str] | None) -> ParsedQuery:
    """The meaning of a query in a collection with these fields, which are None while they are not
    known.

    Raises InvalidRequest, whose message says what to write instead.
    """
    words: list[str] = []
    conditions: list[dict[str, Any]] = []
    phrases: list[str] = []
    exclude: list[str] = []
    boosts: list[Boost] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if (match := _PHRASE.match(text, at)) and match["phrase"].strip():
            phrase = match["phrase"].strip()
            if match["minus"]:
                exclude.append(phrase)
            else:
                phrases.append(phrase)
                words.append(phrase)
        elif (match := _FIELD.match(text, at)) and (boost := _boost(match, fields)):
            boosts.append(boost)
        elif match and (condition := _condition(match, fields)):
            conditions.append({"not": condition} if match["minus"] else condition)
        elif (match := _LEFT_OUT.match(text, at)) and match["word"] not in _GROUPS:
            exclude.append(match["word"])
        else:
            _check_quotes(text, at + text.startswith(tuple(_MINUS), at))
            match = _WORD.match(text, at)
            words.append(text[at : match.end()] if match else text[at])
        at = match.end() if match else at + 1
    if exclude and not words:
        raise InvalidRequest(
            f"query: say what to search for beside what to leave out, such as"
            f" `深度学习 -{exclude[0]}`."
        )
    return ParsedQuery(" ".join(words), conditions, phrases, exclude, boosts)


def _check_quotes(text: str, at: int) -> None:
    """Raises InvalidRequest for a quotation mark that begins a phrase which does not end."""
    if at < len(text) and text[at] in _QUOTES and not re.search(f"[{_CLOSE}]", text[at + 1 :]):
        raise InvalidRequest(
            f"query: the quotation mark before `{text[at + 1 : at + 21].strip()}` has no partner;"
            " close it, or leave it out."
        )


def _boost(match: re.Match[str], fields: Collection[str] | None) -> Boost | None:
    """The boost of `field:value^3`; None if it is something else."""
    value, by = match["quoted"], match["by"]
    if value is None and (found := _RAISED.fullmatch(match["bare"])):
        value, by = found["value"], found["by"]
    name = _resolved(match["name"] or match["other"], fields)
    if by is None or name is None:
        return None
    if match["quoted"] is None:
        _check_quotes(value, 0)
    factor = float(by) if _FACTOR.fullmatch(by) else 0.0
    values = _values(value)
    one = not match["minus"] and not _RANGE.fullmatch(value) and not _COMPARED.fullmatch(value)
    if not (one and 0 < len(values) <= MAX_BOOSTED_VALUES and MIN_FACTOR <= factor <= MAX_FACTOR):
        raise InvalidRequest(
            f"query: `{match[0][:60]}` is no boost; write a value and a factor of {MIN_FACTOR} to"
            f" {MAX_FACTOR} after `^`, such as `{name}:中国科学^2`, or below 1 to lower it."
        )
    return Boost(field=name, values=dict.fromkeys(values, factor))


def _condition(match: re.Match[str], fields: Collection[str] | None) -> dict[str, Any] | None:
    """The filter of `field:value`; None if the colon belongs to ordinary text."""
    given = match["name"] or match["other"]
    name = _resolved(given, fields)
    if name is None:
        _check_name(given, match, fields)
        return None
    if (bare := match["bare"]) is not None:
        _check_quotes(bare, 0)
        if found := _COMPARED.fullmatch(bare):
            sign = _SIGNS[found["sign"].translate(_ONE_SIGN)]
            return _within(name, {sign: _value(found["bound"])})
        if (found := _RANGE.fullmatch(bare)) and (found["low"] or found["high"]):
            return _within(name, _range(given, found["low"], found["high"]))
    values = [one for value in _values(match["quoted"] or bare) for one in _either(value)]
    return ({name: values[0]} if len(values) == 1 else {name: {"any": values}}) if values else None


def _resolved(given: str, fields: Collection[str] | None) -> str | None:
    """The field that a name stands for: that of this name, or one in upper or lower case, in
    Traditional or Simplified characters, in singular or plural."""
    names = COMMON_FIELDS if fields is None else fields
    if given in names:
        return given
    known = {compared(name): name for name in names}
    form = compared(given)
    for name in (form, *_CHINESE.get(form, ()), f"{form}s", form.removesuffix("s")):
        if name in known:
            return known[name]
    return None


def _check_name(given: str, match: re.Match[str], fields: Collection[str] | None) -> None:
    """Raises InvalidRequest if an unknown name is meant as a field."""
    if not given.isascii() or fields is None:
        return
    if given.lower() in ("title", "text"):
        what = (match["quoted"] or match["bare"]).strip(_OPEN + _CLOSE)
        raise InvalidRequest(
            f'query: `{given}` is no field; write "{what[:40]}" in quotation marks, which are'
            " looked for in title and text."
        )
    alike = difflib.get_close_matches(given.lower(), fields, 1, _ALIKE)
    meant = match["quoted"] is not None or _RANGE.fullmatch(match["bare"] or "")
    if not alike and not meant:
        return
    hint = f"did you mean `{alike[0]}`? Its" if alike else "its"
    raise InvalidRequest(
        f"query: the collection has no field `{given}`; {hint} fields:"
        f" {', '.join(sorted(fields)) or 'none'}. To search for the words, put a space after the"
        " colon."
    )


def _within(name: str, bounds: dict[str, Any]) -> dict[str, Any]:
    """The filter of a field with bounds. Years stand for the dates in them too: collections hold
    dates as texts, and years as either."""
    if not all(isinstance(bound, int) and bound in _YEARS for bound in bounds.values()):
        return {name: bounds}
    dates = dict(_as_date(sign, bound) for sign, bound in bounds.items())
    return {"or": [{name: bounds}, {name: dates}]}


def _as_date(sign: str, bound: Any) -> tuple[str, Any]:
    """A bound of texts that begin with a date, for one that may be a year."""
    if not isinstance(bound, int) or bound not in _YEARS:
        return sign, bound
    behind = sign in ("gt", "lte")
    return {"gt": "gte", "lte": "lt"}.get(sign, sign), str(bound + behind)


def _range(name: str, low: str | None, high: str | None) -> dict[str, Any]:
    written = {sign: end for sign, end in (("gte", low), ("lte", high)) if end}
    bounds: dict[str, Any] = {sign: _value(end) for sign, end in written.items()}
    if any(map(_DATE.match, written.values())):
        bounds = dict(_as_date(sign, bound) for sign, bound in bounds.items())
    ends = [*bounds.values()]
    if len({isinstance(end, str) for end in ends}) > 1 or ends != sorted(ends):
        raise InvalidRequest(
            f"query: `{name}:{low}..{high}` is no range; write the smaller end first, such as"
            f" `{name}:{high}..{low}`, both as numbers or both as dates."
        )
    return bounds


def _values(written: str) -> list[str]:
    """The values of `a|"b c"`, without their quotation marks; those that are blank are left out."""
    if not any(mark in written for mark in _OPEN):
        return list(filter(None, re.split(f"[{_OR}]", written)))
    values = (match[0].strip(_OPEN + _CLOSE).strip() for match in re.finditer(_VALUE, written))
    return list(filter(None, values))


def _value(text: str) -> int | float | str:
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _either(text: str) -> list[Any]:
    """The values that a written value may mean: the text, and the number if it is one.

    Collections hold years as either.
    """
    value = _value(text)
    return [text] if isinstance(value, str) else [value, text]
