"""Identifiers of documents, which people write with a label or as an address."""

import re

_DOI = re.compile(
    r"\s*(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi\s*[:：]?\s*)(10\.\d{4,9}/\S+)\s*",
    re.IGNORECASE,
)


def bare_doi(text: str) -> str:
    """The DOI alone of a text that is one with its label or as an address, `doi:10.1000/182`; any
    other text as it is."""
    match = _DOI.fullmatch(text)
    return match[1] if match else text
