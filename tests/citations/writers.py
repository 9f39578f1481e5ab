"""Writes the formats that the product only reads, as their programs write them."""

import re
from collections.abc import Sequence

from services.common.citations.reference import Kind, texts_of
from services.common.documents import Content

_EXPORTED = {
    Kind.ARTICLE: ("Journal Article", "期刊"),
    Kind.BOOK: ("Book", "图书"),
    Kind.CHAPTER: ("Book Section", "章节"),
    Kind.CONFERENCE: ("Conference Proceedings", "会议"),
    Kind.THESIS: ("Thesis", "博士"),
    Kind.REPORT: ("Report", "成果"),
    Kind.PATENT: ("Patent", "专利"),
    Kind.NEWSPAPER: ("Newspaper Article", "报纸"),
    Kind.STANDARD: ("Standard", "标准"),
    Kind.WEBPAGE: ("Web Page", "网页"),
    Kind.DATASET: ("Dataset", "数据"),
    Kind.OTHER: ("Generic", "其他"),
}
_PUBMED = {
    Kind.ARTICLE: "Journal Article",
    Kind.BOOK: "Book",
    Kind.CHAPTER: "Book Chapter",
    Kind.CONFERENCE: "Congress",
    Kind.THESIS: "Academic Dissertation",
    Kind.REPORT: "Technical Report",
    Kind.PATENT: "Patent",
    Kind.NEWSPAPER: "Newspaper Article",
    Kind.STANDARD: "Practice Guideline",
    Kind.WEBPAGE: "Webcast",
    Kind.DATASET: "Dataset",
    Kind.OTHER: "Letter",
}
_ENDNOTE = "journal=J year=D date=8 volume=V issue=N pages=P doi=R publisher=I place=C edition=7"
_ENDNOTE += " url=U language=G note=Z number=M institution=+"
_NOTEEXPRESS = {
    "journal": "Journal",
    "year": "Year",
    "date": "Date",
    "volume": "Volume",
    "issue": "Issue",
    "pages": "Pages",
    "doi": "DOI",
    "issn": "ISSN",
    "isbn": "ISBN",
    "publisher": "Publisher",
    "place": "Place Published",
    "edition": "Edition",
    "url": "URL",
    "language": "Language",
    "note": "Notes",
    "number": "Number",
    "institution": "Author Address",
}
_CNKI = {
    "journal": "Source-刊名",
    "year": "Year-年",
    "date": "PubTime-发表时间",
    "volume": "Volume-卷",
    "issue": "Period-期",
    "pages": "PageCount-页码",
    "doi": "DOI-DOI",
    "issn": "ISSN-ISSN",
    "isbn": "ISBN-ISBN",
    "publisher": "Publisher-出版社",
    "place": "Place-出版地",
    "edition": "Edition-版次",
    "url": "URL-网址",
    "language": "Language-语种",
    "note": "Note-备注",
    "number": "Number-编号",
    "institution": "Organ-单位",
}
_NBIB = {
    "journal": "JT",
    "volume": "VI",
    "issue": "IP",
    "pages": "PG",
    "issn": "IS",
    "isbn": "ISBN",
    "publisher": "PB",
    "place": "PL",
    "edition": "EN",
    "language": "LA",
    "note": "GN",
    "number": "RN",
    "institution": "AD",
    "url": "URL",
    "date": "DP",
}


def endnote(documents: Sequence[Content]) -> str:
    tags = dict(pair.split("=") for pair in _ENDNOTE.split())
    entries = []
    for one in documents:
        fields, kind = one.fields, Kind(str(one.fields["type"]))
        lines = [f"%0 {_EXPORTED[kind][0]}", f"%T {one.title}"]
        lines += [f"%A {name}" for name in texts_of(fields, "authors")]
        lines += [f"%E {name}" for name in texts_of(fields, "editors")]
        lines += [
            f"%{tag} {value}" for name, tag in tags.items() for value in texts_of(fields, name)
        ]
        lines += [f"%@ {value}" for name in ("issn", "isbn") for value in texts_of(fields, name)]
        if words := texts_of(fields, "keywords"):
            lines.append("%K " + "\n".join(words))
        if one.text:
            lines.append(f"%X {one.text}")
        entries.append("\n".join(lines) + "\n\n")
    return "".join(entries)


def noteexpress(documents: Sequence[Content]) -> str:
    entries = []
    for one in documents:
        fields, kind = one.fields, Kind(str(one.fields["type"]))
        lines = [f"{{Reference Type}}: {_EXPORTED[kind][0]}", f"{{Title}}: {one.title}"]
        lines += [f"{{Author}}: {name}" for name in texts_of(fields, "authors")]
        lines += [f"{{Secondary Author}}: {name}" for name in texts_of(fields, "editors")]
        for name, tag in _NOTEEXPRESS.items():
            lines += [f"{{{tag}}}: {value}" for value in texts_of(fields, name)]
        if words := texts_of(fields, "keywords"):
            lines.append("{Keywords}: " + ";".join(words))
        lines.append(f"{{Abstract}}: {one.text}")
        entries.append("\r\n".join("\r\n".join(lines).splitlines()) + "\r\n\r\n")
    return "".join(entries)


def cnki(documents: Sequence[Content]) -> str:
    entries = []
    for one in documents:
        fields, kind = one.fields, Kind(str(one.fields["type"]))
        lines = [f"SrcDatabase-来源库: {_EXPORTED[kind][1]}", f"Title-题名: {one.title}"]
        lines.append(f"Author-作者: {''.join(f'{name};' for name in texts_of(fields, 'authors'))}")
        if editors := texts_of(fields, "editors"):
            lines.append(f"Editor-编者: {';'.join(editors)}")
        for name, tag in _CNKI.items():
            lines += [f"{tag}: {value}" for value in texts_of(fields, name)]
        lines.append(f"Keyword-关键词: {';;'.join(texts_of(fields, 'keywords'))}")
        lines += [f"Summary-摘要: {one.text}", "FirstDuty-第一责任人: 张三;"]
        entries.append("\n".join(lines) + "\n\n")
    return "".join(entries)


def nbib(documents: Sequence[Content]) -> str:
    """PubMed folds at 80 characters and has one paragraph; so texts are of one line here."""
    entries = []
    for one in documents:
        fields, kind = one.fields, Kind(str(one.fields["type"]))
        values = [("PMID", one.id), ("TI", one.title), ("AB", one.text)]
        values += [("FAU", name) for name in texts_of(fields, "authors")]
        values += [("FED", name) for name in texts_of(fields, "editors")]
        values += [(tag, value) for name, tag in _NBIB.items() for value in texts_of(fields, name)]
        if "date" not in fields:
            values.append(("DP", str(fields["year"])))
        values += [("LID", f"{doi} [doi]") for doi in texts_of(fields, "doi")]
        values += [("OT", word) for word in texts_of(fields, "keywords")]
        values.append(("PT", _PUBMED[kind]))
        entries.append("".join(_folded(tag, value) for tag, value in values if value) + "\n")
    return "".join(entries)


def _folded(tag: str, value: str) -> str:
    """Broken between words, and words only: a Chinese text stays on one line."""
    lines, line = [], ""
    for word in re.split(r" ", value):
        if line and len(line) + len(word) > 70:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return f"{tag:<4}- " + "\n      ".join([*lines, line]) + "\n"
