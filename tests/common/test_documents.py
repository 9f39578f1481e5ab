"""What a document may be."""

import pytest
from pydantic import ValidationError

from services.common.documents import MAX_TEXT_BYTES, Document, gathered, lexical_source


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"id": "1"}, "a title, a text or a body is needed"),
        ({"id": "1", "title": "  "}, "a title, a text or a body is needed"),
        ({"title": "t"}, "Field required"),
        ({"id": "", "title": "t"}, "at least 1 character"),
        ({"id": "a\nb", "title": "t"}, "control characters"),
        ({"id": "a\n", "title": "t"}, "control characters"),
        ({"id": "文" * 200, "title": "t"}, "600 bytes, at most 512"),
        ({"id": "1", "text": "文" * MAX_TEXT_BYTES}, "at most 60,000"),
        ({"id": "1", "title": "\ud800"}, "half a character"),
        ({"id": "1", "title": "a\x00"}, "NUL"),
        ({"id": "1", "title": "t", "fields": {"-a": 1}}, "cannot be the name of a field"),
        ({"id": "1", "title": "t", "fields": {"a": {"b": 1}}}, "valid"),
        ({"id": "1", "title": "t", "fields": {f"f{i}": 1 for i in range(65)}}, "at most 64"),
        ({"id": "1", "title": "t", "other": {"a": 1}}, "other"),
        ({"id": "1", "title": "t", "fields": [1]}, "fields"),
        ({"id": 1.5, "title": "t"}, "is a decimal number; send a text or an integer"),
        ({"id": True, "title": "t"}, "is no text and no integer"),
        ({"id": "1", "title": "t", "fields": {f"f{i}": "x" * 4_000 for i in range(16)}}, "60,000"),
    ],
)
def test_refused_with_a_reason(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Document.model_validate(given)


def test_words_come_from_title_text_and_string_fields() -> None:
    document = Document(
        id="1",
        title="标题",
        text="正文",
        fields={"keywords": ["甲", "乙"], "year": 2020, "kind": "论文"},
    )
    assert lexical_source(document) == "标题\n正文\n甲\n乙\n论文"


def test_types_of_fields_are_kept() -> None:
    fields = {"year": 2020, "open": True, "score": 0.5, "tags": ["a"]}
    assert Document(id="1", title="t", fields=fields).fields == fields


def test_what_an_answer_tells_of_passages_is_not_stored_when_it_is_written_back() -> None:
    answer = {"id": "1", "title": "题", "body": "文。", "fields": {"year": 1}, "passage_count": 1}
    document = Document.model_validate(answer)
    assert (document.body, document.fields) == ("文。", {"year": 1})
    row = gathered({"id": "1", "title": "题", "passage_count": 4}, columns=True)
    assert row["fields"] == {"passage_count": 4}
