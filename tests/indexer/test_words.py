"""No word of a document is left out of the word index without a word about it."""

import random

import pytest

from services.common.documents import Document, lexical_source
from services.common.errors import InvalidRequest
from services.common.text import WordAnalyzer, index_text
from services.indexer.rows import document_words
from tests.indexer.installation import literature

ANALYZER = WordAnalyzer()


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
