"""The place of a hit's text in a long document, as the documents of other frameworks hold it."""

from typing import Any

from xunwen.client import Hit


def place_of(hit: Hit) -> dict[str, Any]:
    """`page` and `section` of the text, as far as they are known; empty for a short document."""
    if hit.passage is None:
        return {}
    known = {"page": hit.passage.page, "section": hit.passage.section}
    return {name: value for name, value in known.items() if value}
