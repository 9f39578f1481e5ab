"""The columns of a table, checked before a job is accepted: what is wrong, and what to write."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.common.documents import MAX_FIELDS, OWN
from services.common.errors import InvalidRequest
from services.common.fields.names import RULE, is_field_name
from services.common.text.normalise import normalise
from services.common.wire.input_formats import Charset
from services.indexer.intake.charsets import misread
from services.indexer.intake.mapping import FieldMapping

_SHOWN = 20
"""Most columns that a message names."""
_USUAL = {
    "id": "编号 序号 标识 主键 论文编号 文献编号 doc_id docid uid pid no key _id",
    "title": "标题 题名 篇名 题目 名称 文献标题 论文题目 name doc_title headline",
    "text": "摘要 内容 文本 中文摘要 简介 abstract content doc_text summary",
    "body": "正文 全文 full_text fulltext body_text",
}
"""Usual names of columns in other systems, Chinese ones first, for the proposed mapping."""
_OF_ONE_FILE = frozenset(("序号", "no", "No", "NO", "key"))
"""Usual names of an id that often only counts the rows of one file. Such a column is not taken by
itself, since the rows of another file would replace those of this one."""
_NAMES = {usual: name for name, all_ in _USUAL.items() for usual in all_.split()}


def is_header(cells: Sequence[str]) -> bool:
    """Whether a line names, by usual names, a column of ids and one of titles, texts or bodies."""
    names = {_name(cell.strip().strip('"')) for cell in cells}
    return "id" in names and not names.isdisjoint({"title", "text", "body"})


def check_columns(columns: Sequence[str], mapping: FieldMapping) -> FieldMapping:
    """The mapping for a table with these columns.

    Where the table lacks what a document needs and the mapping does not name it, columns of usual
    names are taken: `题名` for the title. Raises InvalidRequest when a column that the mapping
    names is missing, or one would be metadata under a name which metadata cannot have.
    """
    if columns and not columns[0].strip():
        raise InvalidRequest(
            "The first column has no name (pandas writes its row numbers so, unless it is told"
            " index=False). Name it or remove it."
        )
    there = [column.strip() for column in columns if column.strip()]
    mapping = _with_usual_names(there, mapping)
    needed = [mapping.id, *mapping.columns(), *(mapping.signs() or ())]
    needed += [mapping.vector] if mapping.vector else []
    missing = [column for column in dict.fromkeys(needed) if column not in there]
    if set(mapping.content()).isdisjoint(there):
        missing += [mapping.title, mapping.text]
    if missing:
        raise InvalidRequest(_missing(there, missing, mapping))
    fields = mapping.named()
    if fields is None:
        fields = {column: column for column in there if column not in mapping.reserved()}
        if hint := _misread(list(fields)):
            raise InvalidRequest(
                f"{hint.strip()} If it is meant as it stands, name it: {_proposed(there, mapping)}"
            )
    impossible = [name for name in fields if not is_field_name(name)]
    if impossible:
        raise InvalidRequest(
            f"{_listed(impossible)} cannot be {'a name' if len(impossible) == 1 else 'names'} of"
            f" metadata: {RULE}. Name them with {_proposed(there, mapping)}"
        )
    if len(fields) > MAX_FIELDS:
        raise InvalidRequest(
            f"The input has {len(fields)} columns of metadata, at most {MAX_FIELDS} are possible;"
            ' choose them with mapping={"fields": ["year", ...]}.'
        )
    return mapping


def _with_usual_names(there: Sequence[str], mapping: FieldMapping) -> FieldMapping:
    if mapping.id in there and not set(mapping.content()).isdisjoint(there):
        return mapping
    found: dict[str, str] = {}
    named_already = [getattr(mapping, member) for member in mapping.model_fields_set & set(OWN)]
    left_out = {*_OF_ONE_FILE, *named_already, *mapping.columns()}
    for member in OWN:
        if member in mapping.model_fields_set or getattr(mapping, member) in there:
            continue
        named = [each for each in there if _name(each) == member and each not in left_out]
        if named:
            found[member] = named[0]
    return FieldMapping.model_validate(mapping.model_dump(exclude_unset=True) | found)


def check_kinds(unfit: Mapping[str, str], mapping: FieldMapping) -> None:
    """Raises InvalidRequest for columns of metadata whose values cannot be stored.

    `unfit` holds the reason for each column of the input that is not fit to be metadata.
    """
    taken = mapping.named()
    columns = set(unfit) if taken is None else set(taken.values())
    wrong = [name for name in unfit if name in columns and name not in mapping.reserved()]
    if wrong:
        reasons = "; ".join(f"column {name} {unfit[name]}" for name in wrong[:_SHOWN])
        raise InvalidRequest(
            f"Metadata are texts, numbers, true, false or lists of these, but {reasons}. Leave it"
            ' out by naming the others: mapping={"fields": ["year", ...]}.'
        )


def check_header(columns: Sequence[str], delimiter: str) -> None:
    """Raises InvalidRequest when the first line of a CSV or TSV, which lacks the columns of a
    document, is no header."""
    if len(columns) == 1:
        raise InvalidRequest(
            f"The first line has one column, {columns[0][:80]!r}. If the file holds one text a line"
            " and no header, send it with format=lines; else separate the columns with"
            f" {'a comma' if delimiter == ',' else 'a tab'}."
        )
    if any(_is_value(column) for column in columns):
        shown = delimiter.join(columns)[:80]
        raise InvalidRequest(
            f"The first line, {shown!r}, seems to be a row and no header. Put a line with the names"
            f" of the columns before it, such as {delimiter.join(('id', 'title', 'text'))!r}."
        )


def _is_value(name: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d[\d.,eE+-]*", name)) or len(name) > 200


def _missing(there: list[str], missing: list[str], mapping: FieldMapping) -> str:
    said = (
        f"The columns are {', '.join(sorted(there)[:_SHOWN])}; there is no"
        f" {' and no '.join(missing)}."
    )
    return (
        f"{said} Say which columns are the id, the title and the text with "
        + _proposed(there, mapping)
        + _misread(there)
    )


def _misread(columns: list[str]) -> str:
    """A sentence that says that the columns are in GB18030, whose bytes happen to be valid UTF-8;
    empty if they are not. It is said only if a column would then have a usual name, since Cyrillic
    words look the same."""
    for column in columns:
        if (reading := misread(column)) in _NAMES:
            return (
                f" If {column} should read {reading}, the input is GB18030: send it with"
                f" charset={Charset.GB18030}."
            )
    return ""


def _proposed(there: list[str], mapping: FieldMapping) -> str:
    """The `mapping` that a caller should write, as far as the names of the columns show it."""
    proposal: dict[str, Any] = {}
    free = list(there)
    for member in OWN:
        given = getattr(mapping, member)
        column = given if given in free else next((c for c in free if _name(c) == member), None)
        if column is not None:
            free.remove(column)
            proposal[member] = column
    if "id" not in proposal:
        proposal["id"] = "the column of the id"
    if proposal.keys().isdisjoint({"title", "text", "body"}):
        proposal["text"] = "the column of the text"
    if mapping.vector in free:
        free.remove(str(mapping.vector))
        proposal["vector"] = mapping.vector
    fields: dict[str, str] = {}
    for number, column in enumerate(free, start=1):
        name = column if is_field_name(column) else f"field_{number}"
        while name in fields:
            name += "_"
        fields[name] = column
    if any(name != column for name, column in fields.items()):
        proposal["fields"] = fields
    return f"mapping={json.dumps(proposal, ensure_ascii=False)}."


def _name(column: str) -> str:
    usual = _NAMES.get(normalise(column).strip().lower())
    return usual or re.sub(r"\W+", "_", column.strip(), flags=re.ASCII).strip("_")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
