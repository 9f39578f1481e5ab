"""The forms in which references are answered."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from services.common.citations.bibtex import bibtex
from services.common.citations.gbt7714 import gbt7714
from services.common.citations.ris import ris
from services.common.documents import Content


class CitationForm(StrEnum):
    """A form of references as text."""

    RIS = "ris"
    BIBTEX = "bibtex"
    GBT7714 = "gbt7714"

    @property
    def media_type(self) -> str:
        """The content type of citations in this form."""
        return _TRAITS[self].media_type

    @property
    def suffix(self) -> str:
        """The ending of the name of a file in this form, with its dot."""
        return _TRAITS[self].suffix

    def text(self, documents: Iterable[Content]) -> str:
        """The documents in this form."""
        return _TRAITS[self].write(documents)


class _Traits(NamedTuple):
    suffix: str
    media_type: str
    write: Callable[[Iterable[Content]], str]


_TRAITS = {
    CitationForm.RIS: _Traits(".ris", "application/x-research-info-systems", ris),
    CitationForm.BIBTEX: _Traits(".bib", "application/x-bibtex", bibtex),
    CitationForm.GBT7714: _Traits(".txt", "text/plain", gbt7714),
}
