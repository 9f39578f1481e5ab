"""References through every format and back, and what becomes of damaged ones."""

import io
import random
import time
import tracemalloc
from collections.abc import Callable, Sequence

import pytest
import rispy
from bibtexparser.entrypoint import parse_string

from services.common.citations.bibtex import bibtex
from services.common.citations.ris import ris
from services.common.documents import Content
from services.common.wire.input_formats import Charset, InputFormat
from services.indexer.intake.charsets import as_utf8
from services.indexer.intake.formats import READERS
from services.indexer.intake.mapping import DocumentMapper, FieldMapping, Rejected
from services.indexer.intake.record import MAX_LINE_BYTES, TOO_LONG, Record
from services.indexer.intake.sniff import check_beginning
from tests.citations import writers
from tests.citations.references import COUNT, references
from tests.indexer.planning import about

Writer = Callable[[Sequence[Content]], str]
REFERENCES = references()
WRITERS: dict[InputFormat, Writer] = {
    InputFormat.RIS: ris,
    InputFormat.BIBTEX: bibtex,
    InputFormat.ENDNOTE: writers.endnote,
    InputFormat.NOTEEXPRESS: writers.noteexpress,
    InputFormat.CNKI: writers.cnki,
    InputFormat.NBIB: writers.nbib,
}


def records(text: str | bytes, form: InputFormat) -> list[Record]:
    content = text.encode() if isinstance(text, str) else text
    return list(READERS[form](io.BytesIO(content), about(form)))


def documents(text: str | bytes, form: InputFormat) -> list[Content]:
    mapper = DocumentMapper(FieldMapping())
    found = []
    for record in records(text, form):
        assert record.values is not None, record
        found.append(mapper.document(record.values))
    return [Content(**one.model_dump()) for one in found]


def test_the_table_has_every_kind_and_chinese_names() -> None:
    assert len(REFERENCES) == COUNT
    assert len({one.fields["type"] for one in REFERENCES}) == 12
    assert len({one.id for one in REFERENCES}) == COUNT


@pytest.mark.parametrize("form", WRITERS, ids=str)
def test_fifty_references_come_back_without_loss(form: InputFormat) -> None:
    given = REFERENCES
    if form is InputFormat.NBIB:  # its texts have one paragraph
        given = [one.model_copy(update={"text": one.text.replace("\n", "")}) for one in given]
    text = WRITERS[form](given)
    check_beginning(text.encode(), form, FieldMapping())
    for found, wanted in zip(documents(text, form), given, strict=True):
        assert found == wanted


@pytest.mark.parametrize("form", WRITERS, ids=str)
def test_a_file_in_gb18030_is_read_too(form: InputFormat) -> None:
    given = REFERENCES[:2]
    with as_utf8(io.BytesIO(WRITERS[form](given).encode("gb18030")), Charset.GB18030) as stream:
        assert len(list(READERS[form](stream, about(form)))) == 2


def test_the_kept_libraries_read_what_is_written() -> None:
    """rispy and bibtexparser, as judges that know nothing of our readers."""
    for found, wanted in zip(rispy.loads(ris(REFERENCES)), REFERENCES, strict=True):
        assert found["title"] == wanted.title
        assert found["authors"] == wanted.fields["authors"]
        assert found["year"] == str(wanted.fields["year"])
        assert found.get("doi") == wanted.fields.get("doi")
    library = parse_string(bibtex(REFERENCES))
    assert not library.failed_blocks
    assert len(library.entries) == COUNT
    assert library.entries[2].fields_dict["title"].value == "C++程序设计：第2版（100\\% 实例） 2"


RIS = "TY  - JOUR\nTI  - 甲\nPY  - 2019\nER  - \n\n"


@pytest.mark.parametrize(
    ("form", "text", "rejected"),
    [
        (InputFormat.RIS, f"{RIS}TY  - JOUR\nTI  - 乙\n{RIS}", {6: "not ended by ER"}),
        (InputFormat.RIS, f"{RIS}TY  - JOUR\nTI  - 乙\n", {6: "the file ends"}),
        (InputFormat.RIS, f"前言\n{RIS}后记\n又一行\n{RIS}", {1: "outside", 7: "outside"}),
        (InputFormat.RIS, f"{RIS}TY  - JOUR\nPY  - 2019\nER  - \n{RIS}", {6: "no id"}),
        (InputFormat.BIBTEX, "@article{a, title={甲}}\n@book{b, title={乙}\n@misc{c, title={丙}}",
         {2: "damaged"}),
        (InputFormat.BIBTEX, "@article{a, title={甲}}\n@book{b\n  title={乙}}\n", {2: "damaged"}),
        (InputFormat.BIBTEX, "@article{a, title={甲}, title={乙}}\n@misc{c, title={丙}}",
         {1: "twice"}),
        (InputFormat.ENDNOTE, "序\n%0 Book\n%T 甲\n\n%0 Book\n%A 张三\n",
         {1: "outside", 5: "no id"}),
        (InputFormat.NOTEEXPRESS, "{Title}: 甲\n{Reference Type}: Book\n{Title}: 乙\n",
         {1: "outside"}),
        (InputFormat.CNKI, "SrcDatabase-来源库: 期刊\nTitle-题名: 甲\n\nSrcDatabase-来源库: 期刊\n",
         {4: "no id"}),
        (InputFormat.CNKI, "SrcDatabase: 期刊\nTitle: 甲\n\nSrcDatabase: 期刊\nTitle: 乙\n\n"
         "Src?atabase: 期刊\nTitle: 丙\n", {4: "second title on line 8"}),
        (InputFormat.NBIB, "PMID- 1\nTI  - 甲\n\nPMID- 2\n", {4: "title"}),
    ],
)  # fmt: skip
def test_a_damaged_entry_is_rejected_with_its_line(
    form: InputFormat, text: str, rejected: dict[int, str]
) -> None:
    mapper = DocumentMapper(FieldMapping())
    found: dict[int, str] = {}
    read = 0
    for record in records(text, form):
        try:
            if record.values is None:
                raise Rejected(record.problem)
            mapper.document(record.values)
            read += 1
        except Rejected as reason:
            found[record.line] = str(reason)
            assert record.excerpt
    assert list(found) == list(rejected)
    for line, word in rejected.items():
        assert word in found[line]
    assert read >= 1


@pytest.mark.parametrize("form", WRITERS, ids=str)
@pytest.mark.parametrize("seed", range(20))
def test_damage_costs_the_entries_that_it_touches(form: InputFormat, seed: int) -> None:
    """Bytes are changed, taken out and put in: what is untouched is read as before."""
    dice = random.Random(seed)
    entries = [WRITERS[form]([one]) for one in REFERENCES[:12]]
    joint = "\n" if form is InputFormat.BIBTEX else ""
    hit = set(dice.sample(range(len(entries)), 3))
    # An entry before a damaged one may go on in it, where the start of that one is gone.
    touched = hit | {place - 1 for place in hit}
    damaged = []
    for place, entry in enumerate(entries):
        content = bytearray((entry + joint).encode())
        for _ in range(3 if place in hit else 0):
            at = dice.randrange(len(content) - 40)  # the line break at the end stays
            what = dice.randrange(3)
            if what == 0:
                content[at] = dice.randrange(256)
            elif what == 1:
                del content[at : at + dice.randrange(30)]
            else:
                content[at:at] = dice.randbytes(4)
        damaged.append(bytes(content))
    found = records(b"".join(damaged), form)
    titles = [one.values.get("title") for one in found if one.values is not None]
    for place, one in enumerate(REFERENCES[:12]):
        assert place in touched or one.title in titles
    for record in found:
        assert record.values is not None or (record.problem and record.line)


def test_bytes_that_are_no_text_and_endless_entries_cost_one_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.indexer.intake.citations.tagged.MAX_LINE_BYTES", 100_000)
    bad = b"TY  - JOUR\nTI  - \xff\xfe\nER  - \n"
    long = b"TY  - JOUR\nTI  - x\n" + b"AB  - aaaa\n" * 10_000 + b"ER  - \n"
    found = records(bad + RIS.encode() + long + RIS.encode(), InputFormat.RIS)
    assert [one.values is None for one in found] == [True, False, True, False]
    assert "UTF-8" in found[0].problem
    assert "16 MiB" in found[2].problem


def test_what_other_programs_write() -> None:
    """Pieces of real exports: EndNote's, CNKI's and PubMed's own habits."""
    [one] = documents(
        "\ufeffTY  - JOUR\r\nA1  - 王, 五\r\nT1  - 题名\r\nJF  - 刊\r\nJA  - K\r\n"
        "Y1  - 2019/05/12/\r\nSP  - 1\r\nEP  - 9\r\nSN  - 1000-0001\r\nDO  - https://doi.org/10.1000/ABC\r\n"
        "XX  - ?\r\nER  -\r\n",
        InputFormat.RIS,
    )
    assert one.id == "10.1000/abc"
    assert one.fields == {
        "type": "article", "authors": ["王, 五"], "journal": "刊", "pages": "1-9", "year": 2019,
        "issn": "1000-0001", "doi": "10.1000/abc", "date": "2019-05-12",
    }  # fmt: skip
    [two] = documents(
        '@string{ ij = "Int. J." }\n@Article{wang19, author = "Wang, A. and {Li and Co.}",\n'
        " title = {{The} $\\alpha$-helix {\\'e}tude}, journal = ij, year = 2019, month = may,\n"
        " pages = {1--9}, number = 3, keywords = {a, b}\n}\n% a comment\n",
        InputFormat.BIBTEX,
    )
    assert (two.id, two.title) == ("wang19", "The $\\alpha$-helix étude")
    assert two.fields == {
        "type": "article", "authors": ["Wang, A.", "Li and Co."], "journal": "Int. J.",
        "year": 2019, "date": "2019-05", "pages": "1-9", "issue": "3", "keywords": ["a", "b"],
    }  # fmt: skip
    [three] = documents(
        "PMID- 31000001\nOWN - NLM\nDP  - 2019 May 12\n"
        "TI  - A long title that goes on in the next\n      line.\nLID - 10.1000/x [doi]\n"
        "AU  - Wang A\nMH  - *Soil\nMH  - Humans\n"
        "PT  - Review\nPT  - Journal Article\nJT  - Nature\nIS  - 1476-4687 (Electronic)\n",
        InputFormat.NBIB,
    )
    assert three.title == "A long title that goes on in the next line."
    assert three.id == "31000001"
    assert three.fields["keywords"] == ["Soil", "Humans"]
    assert (three.fields["year"], three.fields["date"]) == (2019, "2019-05-12")
    assert (three.fields["type"], three.fields["issn"]) == ("article", "1476-4687")


@pytest.mark.parametrize(
    "between", ["", " ", "\n", "\n% a comment\n"], ids=["nothing", "a space", "a line", "a comment"]
)
def test_entries_that_were_put_together_are_read_one_by_one(between: str) -> None:
    """`cat a.bib b.bib` joins them in one line where the first file ends without a line feed."""
    found = documents(
        f"@article{{a,\n title={{甲}}\n}}{between}@article{{b,\n title={{乙}}\n}}"
        f"{between}@misc{{c, title={{丙}}}}",
        InputFormat.BIBTEX,
    )
    assert [(one.id, one.title) for one in found] == [("a", "甲"), ("b", "乙"), ("c", "丙")]


def test_records_of_two_endnote_libraries_with_one_number_are_two_documents() -> None:
    """EndNote writes the number of a record in its library as `ID`, at the end of an entry."""
    entry = "TY  - JOUR\nTI  - {}\nPY  - 2019\nDO  - {}\nID  - 12\nER  - \n"
    libraries = [entry.format("甲", "10.1000/a"), entry.format("乙", "")]
    found = [documents(text, InputFormat.RIS)[0].id for text in libraries]
    assert found[0] == "10.1000/a"
    assert found[1].startswith("ref-")


@pytest.mark.parametrize("identity", ["7", "wang2019", "WOS:000012", "31000001"])
def test_an_id_of_ris_that_no_library_counted_is_the_documents(identity: str) -> None:
    """Exports of a collection have the id first, whatever it is."""
    [given] = documents(f"TY  - JOUR\nID  - {identity}\nTI  - 甲\nER  - \n", InputFormat.RIS)
    assert given.id == identity
    assert documents(ris([given]), InputFormat.RIS)[0].id == identity
    if len(identity) > 6:
        last = f"TY  - JOUR\nTI  - 甲\nID  - {identity}\nER  - \n"
        assert documents(last, InputFormat.RIS)[0].id == identity


def test_a_damaged_entry_in_the_line_of_another_costs_no_other() -> None:
    text = "@article{a, title={甲}}@article{b, title={乙}, title={乙}}\n@misc{c, title={丙}}"
    found = records(text, InputFormat.BIBTEX)
    assert [one.values and one.values["id"] for one in found] == ["a", None, "c"]
    assert "twice" in found[1].problem


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("@comment{x} ", 1),
        ("@comment{unclosed\n", 2),
        ('@preamble{"x"}', 1),
        ('@string{x = "y"} ', 1),
        ("Copied from a page: ", 1),
        ("% of me@home ", 1),
        ("@ ", 1),
        ("@misc{a, title={甲}}\n@comment{\n x\n}", 4),
    ],
)
def test_an_entry_behind_other_text_is_read_once_with_its_line(before: str, line: int) -> None:
    entry = "article{k, title={题}}" if before == "@ " else "@article{k, title={题}}"
    text = f"{before}{entry}\n@misc{{b, title={{乙}}}}\n@misc{{c, title={{丙}}}}\n"
    found = records(text, InputFormat.BIBTEX)
    ids = [one.values and one.values["id"] for one in found if one.line >= line]
    assert ids == ["k", "b", "c"]
    assert [one.line for one in found][-3:] == [line, line + 1, line + 2]


def test_abbreviations_that_come_twice_or_are_damaged_cost_no_entry() -> None:
    """Files of one source bring the same abbreviations, and `cat` puts them together."""
    twice = '@string{ij = "Int. J."}\n' * 2
    one = "@article{a, title={甲}, journal=IJ}@string{k = ij # { Suppl.}}\n"
    found = documents(f"{twice}{one}@misc{{b, title={{乙}}, journal=k}}\n", InputFormat.BIBTEX)
    assert [doc.fields["journal"] for doc in found] == ["Int. J.", "Int. J. Suppl."]
    broken = records(f'@string{{x = "y"\n{one}@misc{{b, title={{乙}}}}\n', InputFormat.BIBTEX)
    assert [each.values and each.values["id"] for each in broken] == [None, "a", "b"]
    assert "damaged" in broken[0].problem


def test_an_abbreviation_of_abbreviations_does_not_grow_without_end() -> None:
    doubled = "".join(f"@string{{a{n + 1} = a{n} # a{n}}}\n" for n in range(64))
    text = f'@string{{a0 = "xxxx"}}\n{doubled}@misc{{k, title={{题}}, note=a64}}\n'
    assert len(str(documents(text, InputFormat.BIBTEX)[0].fields["note"])) < 200_000


def test_an_entry_costs_no_more_where_a_file_has_many_abbreviations() -> None:
    strings = "".join(f'@string{{j{n} = "Journal {n}"}}\n' for n in range(500))
    entries = "".join(f"@misc{{k{n}, title={{题}}, journal=j7}}\n" for n in range(1_000))
    begin = time.process_time()
    found = documents(strings + entries, InputFormat.BIBTEX)
    assert {doc.fields["journal"] for doc in found} == {"Journal 7"}
    assert time.process_time() - begin < 5


_RIS = "TY  - JOUR\nTI  - 题\n{}\nER  - \n"


@pytest.mark.parametrize(
    ("form", "text", "filling"),
    [
        (InputFormat.RIS, _RIS.format("SN  - 1…1"), " "),
        (InputFormat.RIS, _RIS.format("AB  - …"), "b\n"),
        (InputFormat.RIS, _RIS.format("AB  - a\n…\nAU  - b"), "\n"),
        (InputFormat.RIS, _RIS.format("…"), "AU  - 王\n"),
        (InputFormat.RIS, _RIS.format("…"), "TI  - b\n"),
        (InputFormat.ENDNOTE, "%0 Generic\n%T 题\n%A a…b\n", " "),
        (InputFormat.NBIB, "PMID- 1\nTI  - 题\nAB  - a\n…", "      b\n"),
        (InputFormat.BIBTEX, "@misc{k, title={题}, author={A…B}}\n", " "),
        (InputFormat.BIBTEX, "@misc{k, title={题}, pages={1…2}}\n", " "),
        (InputFormat.BIBTEX, "@misc{k, title={题}, abstract={…}}\n", "$a$ "),
    ],
)
def test_an_entry_costs_as_much_as_it_is_long(form: InputFormat, text: str, filling: str) -> None:
    """A file of some megabytes of spaces, as a damaged disk gives it, would keep a worker busy for
    days."""
    written = text.replace("…", filling * (60_000 // len(filling)))
    begin = time.process_time()
    assert len(records(written, form)) == 1
    assert time.process_time() - begin < 3


def test_an_entry_without_an_end_takes_no_more_memory_than_the_longest_one() -> None:
    class Endless(io.BytesIO):
        left = 3 * MAX_LINE_BYTES // 1_000

        def read(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            line = b"AB  - " + b"b" * 992 + b"\n"
            return super().read() + line if self.left > 0 else b""

    tracemalloc.start()
    try:
        [found] = READERS[InputFormat.RIS](
            Endless(b"TY  - JOUR\nTI  - a\n"), about(InputFormat.RIS)
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.problem == TOO_LONG
    assert most < 2 * MAX_LINE_BYTES


@pytest.mark.parametrize("nested", ["{" * 3_000 + "深" + "}" * 3_000, r"\begin{a}" * 3_000])
def test_an_entry_of_braces_in_braces_costs_no_other(nested: str) -> None:
    text = f"@misc{{a, title={{甲}}}}\n@misc{{b, title={{{nested}}}}}\n@misc{{c, title={{丙}}}}\n"
    first, deep, last = records(text, InputFormat.BIBTEX)
    assert [one.values and one.values["title"] for one in (first, last)] == ["甲", "丙"]
    assert (deep.line, deep.values) == (2, None)
    assert "too many braces within each other" in deep.problem


def test_entries_of_one_id_in_one_line_are_both_read() -> None:
    text = "@misc{a, title={甲}}@misc{a, title={乙}}"
    assert [one.title for one in documents(text, InputFormat.BIBTEX)] == ["甲", "乙"]


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ('"A " # "B"', "A B"),
        ('{A } # "B"', "A B"),
        ('ij # " Suppl."', "Int. J. Suppl."),
        ('"Vol. " # 12 # " of " # IJ', "Vol. 12 of Int. J."),
        ('"{C#} and " # {.NET}', "C# and .NET"),
        ("{a # b}", "a # b"),
        ("{R&D in state-of-the-art}", "R&D in state-of-the-art"),
        (r"{R\&D in state-of-the-art}", "R&D in state-of-the-art"),
        (r"{50% of {\'e}tudes, 20\% of others}", "50% of études, 20% of others"),
        ("{Energy & Fuels $a & b$ {ACS}}", "Energy & Fuels $a & b$ ACS"),
    ],
)
def test_a_title_of_bibtex_is_what_it_shows(value: str, title: str) -> None:
    text = f'@string{{ij = "Int. J."}}\n@article{{k, title = {value}, year = 2019}}\n'
    [found] = documents(text, InputFormat.BIBTEX)
    assert found.title == title


@pytest.mark.parametrize(
    ("value", "title"),
    [
        (r"p {\textless} 0.05", "p < 0.05"),
        (r"a\textgreater{}b\textbar{}c\textbardbl{}d", "a>b|c‖d"),
        (r"file\textunderscore{}name \S{}2 \P{}3", "file_name §2 ¶3"),
        (r"\copyright{} 5\degree{}C \textquotedbl{}x\textquotedbl{}", '© 5°C "x"'),
        (r"See \href{http://a.b/c_d}{the \emph{code}} here", "See the code here"),
        (r"See \url{http://a.b/~c?d=1&e=%20}", "See http://a.b/~c?d=1&e=%20"),
        (r"A \textcolor{red}{red} word", "A red word"),
    ],
)
def test_a_command_of_bibtex_loses_no_sign(value: str, title: str) -> None:
    [found] = documents(f"@misc{{k, title={{{value}}}}}", InputFormat.BIBTEX)
    assert found.title == title


@pytest.mark.parametrize(
    "value",
    [r"\href", r"\href{http://a.b}", r"A \textcolor", r"A \sqrt[3", r"A \verb", r"\fcolorbox{a}"],
)
def test_a_command_without_its_arguments_stays_as_it_is_written(value: str) -> None:
    text = f"@misc{{a, title={{甲}}}}\n@misc{{b, title={{{value}}}}}\n@misc{{c, title={{丙}}}}\n"
    assert [one.title for one in documents(text, InputFormat.BIBTEX)] == ["甲", value, "丙"]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        # As DBLP and Springer write them.
        ("doi", r"10.1007/978-3-030-00000-0\_1", "10.1007/978-3-030-00000-0_1"),
        ("url", r"https://a.b/c\_d?e=1\&f=\%20\#g", "https://a.b/c_d?e=1&f=%20#g"),
        ("url", r"https://a.b/\~{}c", "https://a.b/~c"),
        ("url", r"\url{https://a.b/c}", "https://a.b/c"),
        ("url", "https://a.b/c_d?e=1&f=%20#g~", "https://a.b/c_d?e=1&f=%20#g~"),
    ],
)
def test_an_address_of_bibtex_has_no_signs_of_latex(field: str, value: str, wanted: str) -> None:
    text = f"@misc{{k, title={{题}}, {field}={{{value}}}}}"
    assert documents(text, InputFormat.BIBTEX)[0].fields[field] == wanted


@pytest.mark.parametrize(
    ("month", "date"),
    [("may", "2020-05"), ("5", "2020-05"), ("{05}", "2020-05"), ('"May"', "2020-05"),
     ("may # {~12}", "2020-05"), ("{5月}", "2020-5月"), ("{}", None)],
)  # fmt: skip
def test_a_month_of_bibtex_is_part_of_the_date(month: str, date: str | None) -> None:
    text = f"@article{{k, title={{题}}, year=2020, month={month}}}"
    assert documents(text, InputFormat.BIBTEX)[0].fields.get("date") == date


@pytest.mark.parametrize(
    ("stated", "date"),
    [("2019 May 2", "2019-05-02"), ("2019 Sep", "2019-09"), ("2019", None),
     ("2019 May-Jun", "2019 May-Jun"), ("2019 Spring", "2019 Spring"),
     ("2019 May 32", "2019 May 32")],
)  # fmt: skip
def test_a_date_of_pubmed_is_one(stated: str, date: str | None) -> None:
    text = f"PMID- 1\nDP  - {stated}\nTI  - 题\n"
    assert documents(text, InputFormat.NBIB)[0].fields.get("date") == date


def test_names_are_joined_by_and_in_any_case() -> None:
    text = "@article{k, title={题}, author={A, B AND C, D\n And {E and F}}}"
    assert documents(text, InputFormat.BIBTEX)[0].fields["authors"] == ["A, B", "C, D", "E and F"]


@pytest.mark.parametrize(
    ("form", "text", "authors"),
    [
        (InputFormat.ENDNOTE, "%0 Book\n%A 张三;\n%A 李四；\n%T 题\n", ["张三", "李四"]),
        (InputFormat.ENDNOTE, "%0 Book\n%A 张三; 李四\n%T 题\n", ["张三", "李四"]),
        (InputFormat.ENDNOTE, "%0 Book\n%A 张三%A 李四%A 王五\n%T 题\n", ["张三", "李四", "王五"]),
        (
            InputFormat.ENDNOTE,
            "%0 Book\n%A Wang, Xiao\n%A Li, L.\n%T 题\n",
            ["Wang, Xiao", "Li, L."],
        ),
        (
            InputFormat.BIBTEX,
            "@book{k, title={题}, author={Wang, Xiao and others}}",
            ["Wang, Xiao"],
        ),
        (
            InputFormat.BIBTEX,
            "@book{k, title={题}, author={A, B and C, D and Others}}",
            ["A, B", "C, D"],
        ),
        (InputFormat.BIBTEX, "@book{k, title={题}, author={others}}", ["others"]),
    ],
)
def test_authors_as_programs_write_them(form: InputFormat, text: str, authors: list[str]) -> None:
    """CNKI ends each name with a semicolon, and BibTeX calls the unnamed ones others."""
    assert documents(text, form)[0].fields["authors"] == authors


def test_a_sign_of_authors_in_an_abstract_is_text() -> None:
    [found] = documents("%0 Book\n%T 题\n%X 含 5%A 型\n", InputFormat.ENDNOTE)
    assert found.text == "含 5%A 型"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        # A journal: the number of pages stands beside the pages.
        ("Title-题名: 题\nSummary-摘要: 要\nPeriod-期: 05\nPageCount-页数: 10\nPage-页码: 915-924\n"
         "SrcDatabase-来源库: 期刊\n", {"type": "article", "issue": "05", "pages": "915-924"}),
        ("Title-题名: 题\nSummary-摘要: 要\nPageCount-页码: 915-924\nSrcDatabase: 特色期刊\n",
         {"type": "article", "pages": "915-924"}),
        ("Title-题名: 题\nSummary-摘要: 要\nPageCount-页数: 10\nSrcDatabase-来源库: 期刊\n",
         {"type": "article"}),
        # A conference, with tags of its own.
        ("Title-题名: 题\nSummary-摘要: 要\nSrcDatabase-来源库: 中国会议\nCity-会议地点: 杭州\n"
         "Meeting-会议名称: 规划年会\nOrgan-作者机构: 某系;\n",
         {"type": "conference", "place": "杭州", "journal": "规划年会", "institution": "某系"}),
        # Tags that no field takes.
        ("Title-题名: 题\nKeyword-关键词: 甲;乙\nTeacher-导师: 王五\nSummary-摘要: 要\n"
         "School-学位授予单位：某校\nSrcDatabase-来源库: 中国博士\n",
         {"type": "thesis", "keywords": ["甲", "乙"]}),
    ],
)  # fmt: skip
def test_what_cnki_writes(lines: str, fields: dict[str, object]) -> None:
    [found] = documents(f"DataType: 1\n{lines}", InputFormat.CNKI)
    assert (found.title, found.text) == ("题", "要")
    assert found.fields == fields


@pytest.mark.parametrize(
    ("before", "entry", "title"),
    [
        ("Provider: Wiley\nDatabase: Wiley\nContent: text/plain; charset=\"UTF-8\"\n\n",
         "TY  - JOUR\nTI  - 题\n", "题"),
        ("", "TY  - BOOK\nBT  - 书\n", "书"),
        ("", "TY  - BOOK\nBT  - 丛书\nTI  - 书\n", "书"),
    ],
)  # fmt: skip
def test_ris_of_publishers_is_read_without_a_rejection(before: str, entry: str, title: str) -> None:
    """Their servers name themselves above the entries, and some write a book's title as BT."""
    found = documents(f"{before}{entry}ER  - \n", InputFormat.RIS)
    assert [one.title for one in found] == [title]


@pytest.mark.parametrize(
    ("lines", "name", "wanted"),
    [
        ("KW  - frost\npermafrost\nclimate", "keywords", ["frost", "permafrost", "climate"]),
        ("KW  - 冻土;路基；变形", "keywords", ["冻土", "路基", "变形"]),
        ("KW  - a; b\nKW  - c", "keywords", ["a; b", "c"]),
        ("AU  - 张三; 李四；", "authors", ["张三", "李四"]),
        ("AU  - Smith, J.\nLee, K.", "authors", ["Smith, J.", "Lee, K."]),
        ("J2  - J. Hydrol.\nT2  - Journal of Hydrology", "journal", "Journal of Hydrology"),
        ("JA  - J. Hydrol.\nJO  - Journal of Hydrology", "journal", "Journal of Hydrology"),
        ("J2  - J. Hydrol.", "journal", "J. Hydrol."),
        ("SN  - 0022-1694 (ISSN)", "issn", "0022-1694"),
        ("SN  - 9783319123456 (ISBN)", "isbn", "9783319123456"),
        ("PY  - 2020/05/12/", "date", "2020-05-12"),
        ("PY  - 2020/5/1", "date", "2020-05-01"),
        ("PY  - 2020/05//", "date", "2020-05"),
        ("PY  - 2020///", "date", None),
        ("PY  - 2020///", "year", 2020),
        ("Y1  - 2020/00/00/", "date", None),
        ("PY  - 2020///Spring", "date", "2020 Spring"),
        ("PY  - 2020/05//Suppl", "date", "2020-05 Suppl"),
        ("PY  - 2020\nDA  - 2020/05/12/", "date", "2020-05-12"),
        ("PY  - 2020\nDA  - 2020-05-12", "date", "2020-05-12"),
        ("PY  - 2020\nDA  - May 12", "date", "May 12"),
        ("PY  - 2020\nDA  - 2020/31/12", "date", "2020/31/12"),
        ("SN  - 0022-1694 (Print)\n1879-2707 (Online)", "issn", "0022-1694; 1879-2707"),
    ],
)
def test_ris_as_programs_write_it(lines: str, name: str, wanted: object) -> None:
    """EndNote sorts its tags and writes one for all keywords; Scopus says what a number is."""
    [found] = documents(f"TY  - JOUR\n{lines}\nTI  - 题\nER  - \n", InputFormat.RIS)
    assert found.fields.get(name) == wanted
