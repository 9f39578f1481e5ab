"""Which values of the metadata a query names, and what fusion and rank read of their documents."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from services.common.request_context import Deadline
from services.common.wire.rank import MAX_TEXT_CHARS
from services.common.wire.recall import Replaced, RulesOfQuery
from services.recall.domain import Found, Index
from services.recall.legs.fusion import Fused
from services.recall.query.naming import Naming
from services.recall.query.rules import sayings
from services.recall.texts import with_best_texts, with_texts
from tests.analyzers import ANALYZER
from tests.recall.legs import FakeIndex

DOI = "10.1016/j.scitotenv.2019.134523"
VALUES = ("王小明", "Li, Wei", DOI, "1000-6923", "环境科学", "植物修复", "Ca²⁺", "")
TITLE, TEXT = "土壤重金属污染的植物修复", "综述了超富集植物。"


def naming(query: str, rules: RulesOfQuery | None = None) -> Naming:
    return Naming.of(sayings(query, rules or RulesOfQuery(), ANALYZER), ANALYZER)


def named(query: str, *values: str, rules: RulesOfQuery | None = None) -> list[str]:
    """The values before the text."""
    found = Found("a", 1.0, TITLE, TEXT, values=values or VALUES)
    read = naming(query, rules).with_named(found)
    assert read._replace(text=TEXT) == found
    return read.text.split("\n")[:-1]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("王小明", ["王小明"]),
        ("王小明的论文", ["王小明"]),
        ("王小明 李伟", ["王小明"]),
        ("王小", []),
        ("li wei", ["Li, Wei"]),
        ("Li Weiming", []),
        (DOI, [DOI]),
        (DOI.upper(), [DOI]),
        (f"DOI: {DOI}", [DOI]),
        (f"{DOI}4", []),
        ("ISSN 1000-6923", ["1000-6923"]),
        ("环境科学 王小明", ["王小明", "环境科学"]),
        ("環境科學", ["环境科学"]),
        ("环境", []),
        ("植物修复", []),
        ("Ca2+", ["Ca²⁺"]),
        ("，。", []),
        ("水稻", []),
    ],
)
def test_a_query_names_values_that_title_and_text_lack(query: str, values: list[str]) -> None:
    assert named(query) == values


def test_a_doi_is_named_however_it_is_stored() -> None:
    assert named(DOI, f"https://doi.org/{DOI}") == [DOI]


def test_a_part_of_a_name_is_none() -> None:
    assert named("张三丰", "张三") == []
    assert named("RAIN 预报", "AI") == []
    assert named("C++", "C", "C++") == ["C++"]


def test_a_synonym_names_a_value() -> None:
    rules = RulesOfQuery(synonyms=[Replaced(word="李小明", by=["li xiaoming"])])
    assert named("李小明", "Li, Xiaoming", rules=rules) == ["Li, Xiaoming"]


def test_a_word_that_does_not_count_names_nothing() -> None:
    assert named("王小明 环境科学", rules=RulesOfQuery(stop_words=["环境科学"])) == ["王小明"]


def test_a_value_is_given_once_and_long_ones_are_not_compared() -> None:
    assert named("王小明", "王小明", "王小明") == ["王小明"]
    assert named("王" * 300, "王" * 300) == []


def test_the_text_stays_as_long_as_rank_reads_it() -> None:
    long = Found("a", 1.0, TITLE, "文" * MAX_TEXT_CHARS, values=("王小明",))
    read = naming("王小明").with_named(long)
    assert read.text == "王小明\n" + "文" * (MAX_TEXT_CHARS - 4)


class Authors(FakeIndex):
    """Documents by one author."""

    async def with_texts(
        self, index: Index, found: Sequence[Found], deadline: Deadline
    ) -> list[Found]:
        return [one._replace(title=TITLE, text=TEXT, values=("王小明",)) for one in found]


async def test_values_count_for_documents_that_the_words_found() -> None:
    """A field with the weight 0, which has no words in the index, names nothing, and meaning alone
    does not either."""
    index, soon = Authors(), Deadline.after(5)
    legs: dict[str, Sequence[Found]] = {
        "dense": [Found("a", 0.5), Found("b", 0.4)],
        "lexical": [Found("a", 7.0)],
    }
    fused = [
        Fused(Found("a", 0.5), 0.5, 7.0, 1.0),
        Fused(Found("b", 0.4), 0.4, None, 0.4),
    ]
    read = await with_texts(index, index.described, fused, naming("王小明"), soon)
    assert [one.document.text for one in read] == [f"王小明\n{TEXT}", TEXT]
    best = await with_best_texts(index, index.described, legs, naming("王小明"), soon)
    assert {name: leg[0].text for name, leg in best.items()} == {
        "dense": TEXT,
        "lexical": f"王小明\n{TEXT}",
    }


class Watched(tuple[str, ...]):
    """Values that note in which threads they are read."""

    threads: set[int]

    def __iter__(self) -> Iterator[str]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


@pytest.mark.parametrize(("authors", "beside"), [(20, False), (3_000, True)])
async def test_papers_of_thousands_of_authors_are_read_beside_other_searches(
    authors: int, beside: bool
) -> None:
    """Sixty papers of a large collaboration took a third of a second, in which recall answered
    nobody."""

    class Values(Watched):
        threads: set[int] = set()  # noqa: RUF012 - shared by all documents of this test

    class Papers(FakeIndex):
        async def with_texts(
            self, index: Index, found: Sequence[Found], deadline: Deadline
        ) -> list[Found]:
            values = Values(f"Li{number}, W." for number in range(authors))
            return [one._replace(values=values) for one in found]

    index = Papers()
    fused = [Fused(Found(f"{number}", 1.0), None, 1.0, 1.0) for number in range(60)]
    read = await with_texts(index, index.described, fused, naming("li7"), Deadline.after(10))
    assert len(read) == 60
    assert (threading.get_ident() not in Values.threads) == beside
    assert Values.threads
