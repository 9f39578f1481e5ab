"""Recognises parts of a paper in its text: title, abstract, keywords, DOI."""

import re
from collections.abc import Iterable

from services.common.fields.values import FieldValue
from services.indexer.intake.files.extracted import Extracted, within

_MAX_TITLE_BYTES = 4_096
_BEGINNING = 20_000
"""Number of characters at the beginning of a text in which a paper has its abstract."""
_SHORTEST, _LONGEST = 30, 6_000
"""Least and most characters of an abstract."""
# Texts hold thousands of blank lines. So no pattern gives back what it took of white space (*+),
# and what stands before a name stands in its line.
_MARKS = r"^(?:#|[^\S\n])*+"
_OPENING = r"(?:[［\[【][^\S\n]*+)?"
_ABSTRACT = re.compile(
    rf"{_MARKS}(?:{_OPENING}(?:中文)?摘\s*+要(?:\s*+[］\]】](?:\s*+[:：])?+\s*+|\s*+[:：]\s*+|\s++|$)|"
    r"[［\[]?abstract[］\]]?(?:\s*+[:：.．—–\-]{1,2}\s*+|[^\S\n]*+$\s*+|\s*+(?=(?:This|The|In|We|"
    r"An?|To|Background|Objectives?|Purpose|Aims?)\b)))",
    re.IGNORECASE | re.MULTILINE,
)
_BEHIND = re.compile(
    rf"^[^\S\n]*+(?:#|{_OPENING}(?:关\s*+键\s*+[词字]|中图分类号|文献标[识志]码|key\s*+-?words?|"
    r"index terms|目\s*+录|contents\b)|"
    r"(?:[\d一I][\s.．、]*+|(?:[.．、]|[^\S\n])*+)(?:引\s*+言|前\s*+言|绪\s*+论|introduction)\b|"
    r"[［\[【]?(?:abstract|摘\s*+要))",
    re.IGNORECASE | re.MULTILINE,
)
_KEYWORDS = re.compile(
    rf"{_MARKS}{_OPENING}(?:关\s*+键\s*+[词字]|key\s*+-?words?+|index terms)"
    r"(?:\s*+[］\]】])?+(?:\s*+[:：—–\-])?+\s*+(?P<words>[^\n]{1,400})",
    re.IGNORECASE | re.MULTILINE,
)
_MOST_KEYWORDS, _LONGEST_KEYWORD = 20, 60
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>，。；（）]+")
_NO_TITLE = re.compile(
    r"^(?:untitled|无标题|文档\s*\d+|document\d*|word document|microsoft word.*|"
    r"microsoft powerpoint.*|powerpoint (?:演示文稿|presentation)|幻灯片 1|slide 1|[\W\d_]*|"
    r".*\.(?:docx?|pdf|tex|dvi|indd|wps|pptx?|html?|cdr))$",
    re.IGNORECASE,
)


def is_title(text: str) -> bool:
    """Whether a text can be the title of a document, which the title that programs write often is
    not."""
    text = text.strip()
    return 2 <= len(text) <= 400 and not _NO_TITLE.match(text)


def title_of(candidates: Iterable[str]) -> str:
    """The first of the candidates that can be a title; empty if none can."""
    chosen = next((text for text in candidates if is_title(text)), "")
    return within(re.sub(r"\s+", " ", chosen).strip(), _MAX_TITLE_BYTES)


def complete(document: Extracted) -> Extracted:
    """Adds the abstract, the keywords and the DOI that the text shows and the file did not name."""
    beginning = document.body[:_BEGINNING].replace("\f", "\n\n")
    document.abstract = document.abstract or "\n".join(_abstracts(beginning))
    if "keywords" not in document.fields and (words := _keywords(beginning)):
        document.fields["keywords"] = words
    if "doi" not in document.fields:
        first = document.body.split("\f")[0][:_BEGINNING]
        found = {doi.rstrip(".,;)").lower() for doi in _DOI.findall(first)}
        if len(found) == 1:
            document.fields["doi"] = found.pop()
    return document


def names_in(given: str, text: str) -> list[FieldValue]:
    """The names of authors that a program noted, as far as the text shows them too, since the noted
    name is often that of an account or a company."""
    bare = re.sub(r"\s+", "", text).lower()
    names = [name.strip() for name in re.split(r"[;；,，、]|\band\b", given)]
    return [name for name in names if name and re.sub(r"\s+", "", name).lower() in bare]


def _abstracts(text: str) -> list[str]:
    """The abstracts of the paper, one in each language."""
    found = []
    for match in _ABSTRACT.finditer(text):
        rest = text[match.end() : match.end() + 2 * _LONGEST]
        end = _BEHIND.search(rest)
        abstract = rest[: end.start()] if end else rest.split("\n\n")[0]
        abstract = re.sub(r"(?<!\s)\s*\n\s*", "\n", abstract).strip()
        if _SHORTEST <= len(abstract) <= _LONGEST and abstract not in found:
            found.append(abstract)
        if len(found) == 2:
            break
    return found


def _keywords(text: str) -> list[str]:
    match = _KEYWORDS.search(text)
    if match is None:
        return []
    line = re.split(r"中图分类号|文献标[识志]码|doi", match["words"], flags=re.IGNORECASE)[0]
    parted = ";" in line or "；" in line
    pieces = re.split("[;；]" if parted else "[,，、]|  +|　", line)
    words = [piece.strip(" .。\t") for piece in pieces]
    words = list(dict.fromkeys(word for word in words if word))
    fitting = len(words) <= _MOST_KEYWORDS and all(len(word) <= _LONGEST_KEYWORD for word in words)
    return words if fitting else []
