"""The forms in which references are answered."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

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
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """The ending of the name of a file in this form, with its dot."""
        return {self.RIS: ".ris", self.BIBTEX: ".bib"}.get(self, ".txt")

    def text(self, documents: Iterable[Content]) -> str:
        """The documents in this form."""
        return _WRITERS[self](documents)


_MEDIA_TYPES: Mapping[CitationForm, str] = {
    CitationForm.RIS: "application/x-research-info-systems",
    CitationForm.BIBTEX: "application/x-bibtex",
    CitationForm.GBT7714: "text/plain",
}
_WRITERS: Mapping[CitationForm, Callable[[Iterable[Content]], str]] = {
    CitationForm.RIS: ris,
    CitationForm.BIBTEX: bibtex,
    CitationForm.GBT7714: gbt7714,
}
