"""The place of a hit's text in the documents of other frameworks."""

from typing import Any

import pytest

from xunwen.client import Hit
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
