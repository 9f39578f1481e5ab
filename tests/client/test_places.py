"""The places of a hit's text in the documents of other frameworks, and of a rejected line."""

from typing import Any

import pytest

from xunwen.client import Hit
from xunwen.client.answers import RejectedLine
from xunwen.integrations.places import place_of

PLACE = {"number": 3, "start": 10, "end": 90}


@pytest.mark.parametrize(
    ("passage", "told"),
    [
        (None, {}),
        (PLACE, {}),
        (PLACE | {"page": 7}, {"page": 7}),
        (PLACE | {"section": "2 方法"}, {"section": "2 方法"}),
        (PLACE | {"page": 7, "section": "2 方法"}, {"page": 7, "section": "2 方法"}),
    ],
)
def test_page_and_section_are_told_where_they_are_known(
    passage: dict[str, Any] | None, told: dict[str, Any]
) -> None:
    assert place_of(Hit.model_validate({"id": "1", "score": 1, "passage": passage})) == told


@pytest.mark.parametrize(
    ("line", "file", "told"),
    [
        (3, "a.csv", "a.csv, line 3"),
        (3, "", "line 3"),
        (0, "a.pdf", "a.pdf"),
        (0, "", "the input"),
    ],
)
def test_a_rejected_line_has_a_place_for_people(line: int, file: str, told: str) -> None:
    assert RejectedLine(line=line, file=file, reason="is scanned").place == told
