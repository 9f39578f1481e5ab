"""No word of a document is left out of the word index without a word about it."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.documents import Content, Document, lexical_source
from services.common.errors import InvalidRequest
from services.common.fields.types import FieldKind, FieldType
from services.common.text import index_text
from services.indexer.passages import cut as passages_of
from services.indexer.rows import document_words
from tests.analyzers import ANALYZER
from tests.indexer.installation import literature


def test_a_long_text_keeps_its_tail_and_its_metadata() -> None:
    texts = [paper["text"] for paper in literature(400)]
    text = "".join(texts)[:19_000]
    document = Document(
        id="1", title="标题", text=f"{text}终尾独词鲲鹏", fields={"author": "欧阳修", "k": ["蜉蝣"]}
    )
    cut = document_words(document, ANALYZER)
    assert len(cut.encode()) <= 65_535
    words = set(cut.split())
    assert {"鲲鹏", "欧阳修", "蜉蝣"} <= words
    every = ANALYZER.document_words(lexical_source(document))
    assert words == set(index_text(every, limit=1_000_000).split())


def test_a_word_that_comes_often_is_written_less_often() -> None:
    document = Document(id="1", text="冻土 " * 8_000 + "水稻")
    cut = document_words(document, ANALYZER).split()
    assert "水稻" in cut
    assert cut.count("冻土") >= 64


def test_a_short_text_keeps_every_repetition() -> None:
    cut = document_words(Document(id="1", text="冻土 " * 500), ANALYZER).split()
    assert cut.count("冻土") == 500


def test_too_many_different_words_are_refused_in_words() -> None:
    dice = random.Random(1)

    def many(count: int) -> str:
        return " ".join(f"{dice.getrandbits(48):012x}" for _ in range(count))

    fields = {f"f{n}": many(300) for n in range(8)}
    document = Document(id="1", text=many(4_600), fields=fields)
    with pytest.raises(InvalidRequest, match="different words"):
        document_words(document, ANALYZER)


TEXTS = st.text(st.sampled_from("冻土水稻研究。，, aB1\n"), max_size=40)
SENTENCES = TEXTS.map(lambda text: f"{text}。")
"""Texts whose last word cannot continue in the next text."""
WEIGHTS = st.integers(0, 10)


def weighed(**weights: int) -> dict[str, FieldType]:
    return {name: FieldType(type=FieldKind.TEXT, weight=weight) for name, weight in weights.items()}


def counted(words: str) -> Counter[str]:
    """The words without those that stand for single characters, which every text has once."""
    return Counter(word for word in words.split() if not "\ua4d0" <= word[-1] <= "\ua4ff")


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_weights_of_one_change_nothing(title: str, text: str, keyword: str, body: str) -> None:
    document = Content(id="1", title=title, text=text, body=body, fields={"keywords": [keyword]})
    types = weighed(title=1, text=1, body=1, keywords=1)
    assert document_words(document, ANALYZER, types) == document_words(document, ANALYZER)
    assert passages_of(document, ANALYZER, types) == passages_of(document, ANALYZER)


@given(SENTENCES, SENTENCES, SENTENCES, SENTENCES, st.tuples(WEIGHTS, WEIGHTS, WEIGHTS, WEIGHTS))
def test_words_count_as_often_as_their_weight_says(
    title: str, text: str, keyword: str, body: str, weights: tuple[int, int, int, int]
) -> None:
    parts = {"title": title, "text": text, "body": body, "fields": {"keywords": [keyword]}}
    times = dict(zip(parts, weights, strict=True))
    types = weighed(title=weights[0], text=weights[1], body=weights[2], keywords=weights[3])
    wanted: Counter[str] = Counter()
    for name, part in parts.items():
        alone = counted(document_words(Content.model_validate({"id": "1", name: part}), ANALYZER))
        wanted += Counter({word: count * times[name] for word, count in alone.items()})
    whole = Content.model_validate({"id": "1", **parts})
    assert counted(document_words(whole, ANALYZER, types)) == wanted


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({"text": "冻" * 801}, "text"),
        ({"text": "冻" * 801, "body": " \n"}, "text"),
        ({"text": "冻" * 801, "body": "正文。"}, "body"),
        ({"text": "冻" * 800}, None),
        ({"text": "冻" * 800, "body": " \n"}, None),
        ({"body": "短。"}, "body"),
    ],
)
def test_a_body_or_else_a_long_text_is_cut_into_passages(
    members: dict[str, str], part: str | None
) -> None:
    document = Content.model_validate({"id": "1", "title": "题", **members})
    weights = weighed(text=0) if part == "text" else weighed(body=0)
    cut = passages_of(document, ANALYZER)
    whole = "" if part is None else members[part]
    assert "".join(whole[span.start : span.end] for span in cut.spans) == whole
    assert bool(cut.spans) == (part is not None)
    assert set(passages_of(document, ANALYZER, weights).words) <= {""}


def test_a_word_does_not_join_its_own_repetition() -> None:
    document = Content(id="1", title="冻", body="土")
    words = counted(document_words(document, ANALYZER, weighed(title=3, body=2)))
    assert words == {"冻": 3, "土": 2}
    [passage] = passages_of(document, ANALYZER, weighed(title=0, body=2)).words
    assert counted(passage) == {"土": 2}


def test_a_heavy_title_leaves_room_for_the_passage() -> None:
    title = "".join(paper["title"] for paper in literature(400))[:1_300]
    document = Content(id="1", title=title, body="鲲鹏。" + "冻土的研究。" * 200)
    first, *_ = passages_of(document, ANALYZER, weighed(title=10)).words
    assert "鲲鹏" in first.split()
    assert len(first.encode()) <= 65_535


def test_a_body_of_no_weight_is_found_by_no_word() -> None:
    document = Content(id="1", title="鲲鹏", body="冻土的研究。" * 200)
    assert set(passages_of(document, ANALYZER, weighed(body=0)).words) == {""}
    assert "冻土" not in document_words(document, ANALYZER, weighed(body=0))
