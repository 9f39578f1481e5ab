"""Word analysis: what queries and documents share."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DictionaryInvalid
from services.common.text import Analyzers, WordAnalyzer, index_text


@pytest.fixture(scope="module")
def analyzer() -> WordAnalyzer:
    return WordAnalyzer()


def test_compounds_come_with_their_parts(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("国有企业创新") == ["国有", "企业", "国有企业", "创新"]


def test_traditional_full_width_and_case_are_folded(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("漢語自然語言處理") == analyzer.words("汉语自然语言处理")
    assert analyzer.words("ＢＥＲＴ模型") == analyzer.words("bert模型")


def test_punctuation_is_dropped_and_joined_names_stay_one_word(analyzer: WordAnalyzer) -> None:
    assert analyzer.words("，。！ 《》-_") == []
    assert analyzer.words("COVID-19") == ["covid", "covid19"]
    assert analyzer.words("snake_case") == ["snake", "case", "snakecase"]


def test_user_words_stay_whole(analyzer: WordAnalyzer) -> None:
    assert "寻文系统" not in analyzer.words("用寻文系统检索")
    assert "寻文系统" in WordAnalyzer(["尋文系統"]).words("用寻文系统检索")


def test_the_identity_tells_the_words_apart(analyzer: WordAnalyzer) -> None:
    one, same = WordAnalyzer(["寻文", "系统"]), WordAnalyzer(["系統", "寻文", "寻文"])
    assert one.identity == same.identity != analyzer.identity
    assert WordAnalyzer(["寻文"]).identity != one.identity


def test_a_dictionary_belongs_to_its_collection(tmp_path: Path) -> None:
    (tmp_path / "papers.txt").write_text("\ufeff寻文系统 100 n\n\n  引力波\n", encoding="utf-8")
    analyzers = Analyzers(tmp_path)
    assert "寻文系统" in analyzers.of("papers").words("用寻文系统检索")
    assert "寻文系统" not in analyzers.of("others").words("用寻文系统检索")
    assert analyzers.of("papers").identity == WordAnalyzer(["引力波", "寻文系统"]).identity
    assert Analyzers().of("papers").identity == WordAnalyzer().identity


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("词".encode("gb18030"), "UTF-8"),
        (("好" * 65).encode(), "line 1: a word has at most 64"),
        (b"w\n" * 200_001, "more than 200,000"),
    ],
)
def test_a_bad_dictionary_is_refused_in_words(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "papers.txt").write_bytes(content)
    with pytest.raises(DictionaryInvalid, match=rf"papers\.txt.*{says}"):
        Analyzers(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["Papers.txt", "论文.txt", "my papers.txt", "papers_.txt", "a.b.txt", ".txt", "papers.TXT"],
)
def test_a_file_of_words_that_is_named_for_no_collection_is_refused(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("引力波透镜\n", encoding="utf-8")
    with pytest.raises(DictionaryInvalid) as refused:
        Analyzers(tmp_path)
    assert name in refused.value.detail
    assert "<collection>.txt" in refused.value.detail


def test_other_files_beside_those_of_words_are_left_alone(tmp_path: Path) -> None:
    for name in ("README.md", "papers", "papers.txt.swp"):
        (tmp_path / name).write_text("引力波透镜\n", encoding="utf-8")
    assert Analyzers(tmp_path).of("papers").user_words == []


def test_a_dictionary_that_another_thread_drops_meanwhile_is_still_answered() -> None:
    analyzers = Analyzers()
    looked_up = analyzers.made(["引力波"])

    class Slow(str):
        """An identity during whose second look-up another thread makes eight dictionaries."""

        turns = 0

        def __hash__(self) -> int:
            type(self).turns += 1
            if self.turns == 3:
                for at in range(8):
                    analyzers.made([f"词{at}"])
            return super().__hash__()

        __eq__ = str.__eq__

    assert analyzers.known(Slow(looked_up.identity)) is looked_up


@pytest.mark.parametrize("kind", ["missing", "file", "link to nothing"])
def test_a_folder_of_dictionaries_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "words"
    if kind == "file":
        folder.write_text("寻文系统\n", encoding="utf-8")
    elif kind == "link to nothing":
        folder.symlink_to(tmp_path / "moved")
    with pytest.raises(DictionaryInvalid, match=r"words.*create it"):
        Analyzers(folder)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(deadline=None)
def test_each_word_is_one_run_of_letters_and_digits_to_milvus(
    analyzer: WordAnalyzer, text: str
) -> None:
    for word in analyzer.document_words(text):
        assert index_text([word]).isalnum()
        assert word == word.lower()


def test_index_text_is_cut_between_words() -> None:
    assert index_text(["国有", "企业"]) == "国有 企业"
    assert index_text(["国有", "企业", "创新"], limit=13) == "国有 企业"
    assert index_text(["国有", "企业", "创新"], limit=15) == "国有 企业"
    assert index_text(["国有企业"], limit=5) == ""
    assert len(index_text(["创新"] * 40_000).encode()) <= 65_535
