"""Collects and counts the titles, keywords and authors of a collection."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from services.common.fields.values import texts_in
from services.common.text.analyzer import compared

Kind = Literal["title", "keyword", "author"]

MOST_CHARS = 120
"""Longest title in characters; longer ones are cut, longer keywords are left out."""
_FIELDS: dict[str, Kind] = {
    **dict.fromkeys(("keyword", "keywords", "tag", "tags"), "keyword"),
    **dict.fromkeys(("关键词", "关键字", "主题词", "标签"), "keyword"),
    **dict.fromkeys(("author", "authors", "作者", "著者", "责任者"), "author"),
}
"""Usual names of the fields whose values are suggested, in the form in which texts are compared."""


@dataclass(slots=True)
class Counted:
    """A text that can be suggested."""

    text: str
    kind: Kind
    count: int = 0


class Collected:
    """Counts texts; texts that a search cannot tell apart are one."""

    def __init__(self, most: int) -> None:
        self.texts: dict[str, Counted] = {}
        """Texts by the form in which they are compared."""
        self._most = most

    @property
    def full(self) -> bool:
        """Whether no further texts are accepted."""
        return len(self.texts) >= self._most

    def add(self, title: str, fields: Mapping[str, Any]) -> None:
        """Counts the texts of one document."""
        self._count(title[:MOST_CHARS], "title")
        for name, value in fields.items():
            if kind := _kind_of(name):
                for text in texts_in(value):
                    if len(text) <= MOST_CHARS:
                        self._count(text, kind)

    def _count(self, text: str, kind: Kind) -> None:
        form = compared(text)
        if not form:
            return
        counted = self.texts.get(form)
        if counted is None:
            if self.full:
                return
            counted = self.texts[form] = Counted(text, kind)
        elif counted.kind == "title" and kind != "title":
            counted.kind, counted.text = kind, text
        counted.count += 1


@lru_cache(maxsize=1024)
def _kind_of(name: str) -> Kind | None:
    """What the values of a field are suggested as; None if they are not."""
    return _FIELDS.get(compared(name))
