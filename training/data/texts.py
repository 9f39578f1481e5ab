"""Texts to train on and documents to look up, read from files without those of evaluation."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.indexer.intake.columns import keywords_of
from training.data.lines import LineFile, LinesById, lines_by_kind
from training.data.pairs import PAPER_TEXTS, normal, texts_of
from training.data.readers import Malformed, is_jsonl, read_lines, record, text_parser

log = logging.getLogger(__name__)

TEXT_FIELDS = ("text", "abstract", "title")


def held_back(key: str, share: float) -> bool:
    """Whether the examples of `key` validate instead of train, as `share` (0 to 1) of all keys do.

    The answer depends on the key and the share alone, not on the order of files.
    """
    digest = hashlib.sha1(f"validation {key}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def read_split_texts(
    paths: Iterable[Path], exclude: Iterable[Path], validation: float
) -> tuple[list[str], list[str]]:
    """The texts to train on and those to validate on, each once, without evaluation papers' texts.

    Raises DataInvalid.
    """
    held_out = texts_of(exclude)
    kept = {normal(text): text for path in paths for text in own_texts(path, TEXT_FIELDS, held_out)}
    trained = [text for name, text in kept.items() if not held_back(name, validation)]
    validated = [text for name, text in kept.items() if held_back(name, validation)]
    log.info("%d texts to train on, %d to validate on", len(trained), len(validated))
    return trained, validated


def own_texts(path: Path, fields: tuple[str, ...], held_out: frozenset[str]) -> list[str]:
    """The texts of a file (see `readers.text_parser`), without those of held-out papers. Raises
    DataInvalid."""
    texts, _ = read_lines(path, _own_text_parser(path, fields, held_out))
    own = [text for text in texts if text]
    if len(own) < len(texts):
        log.info(
            "%s: %d texts were left out; they are of evaluation papers",
            path.name,
            len(texts) - len(own),
        )
    return own


def _own_text_parser(
    path: Path, fields: tuple[str, ...], held_out: frozenset[str]
) -> Callable[[str], str]:
    """A parser as `readers.text_parser`, which gives an empty text for a held-out paper. A row
    of jsonl is one also if another text of it than the one that is taken is held out."""
    text_of, row_of = text_parser(path, fields), record()

    def parse(line: str) -> str:
        text = text_of(line)
        row = row_of(line) if is_jsonl(path) else {}
        return "" if normal(text) in held_out or _is_paper(row, held_out) else text

    return parse


def _is_paper(row: Mapping[str, Any], held_out: frozenset[str]) -> bool:
    """Whether a text of a row is one of `held_out` (as `normal` writes them)."""
    texts = (row.get(name) for name in PAPER_TEXTS)
    return any(isinstance(text, str) and normal(text) in held_out for text in texts)


def split_texts(
    paths: Sequence[Path], exclude: Iterable[Path], validation: float, *, stream: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """The texts to train on and those to validate on, as `read_split_texts` divides them.

    With `stream` the texts stay in their files until they are needed. Raises DataInvalid.
    """
    if not stream:
        return read_split_texts(paths, exclude, validation)
    held_out = texts_of(exclude)

    def kind(text: str) -> str | None:
        if not text:
            return None
        return "validated" if held_back(normal(text), validation) else "trained"

    files = [LineFile(path, _own_text_parser(path, TEXT_FIELDS, held_out)) for path in paths]
    parts = lines_by_kind(files, kind, normal)
    trained, validated = parts.get("trained", ()), parts.get("validated", ())
    log.info("%d texts to train on, %d to validate on", len(trained), len(validated))
    return trained, validated


def read_rows(paths: Iterable[Path], member: str, held_out: frozenset[str]) -> list[dict[str, Any]]:
    """The jsonl rows with `id` and `member`, without held-out papers. Raises DataInvalid."""
    return _own_rows(paths, record("id", member), held_out)


def read_abstracts(paths: Iterable[Path], held_out: frozenset[str]) -> list[dict[str, Any]]:
    """The jsonl rows with `id`, `abstract` and a list of `keywords`, which is empty if there are
    none, without held-out papers. The abstract of a document is its `text`. Raises DataInvalid."""
    return _own_rows(paths, _abstract, held_out)


def _abstract(line: str) -> dict[str, Any]:
    row = record("id")(line)
    abstract = _text_of(row)
    if not abstract:
        raise Malformed("neither text nor abstract holds text")
    return row | {
        "abstract": abstract,
        "keywords": listed_keywords(row.get("keywords") or []),
    }


def listed_keywords(given: object) -> list[str]:
    """Keywords that are a list, or one text with signs between them. Raises Malformed."""
    words = keywords_of(given) if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(w, str) and w.strip() for w in words):
        raise Malformed("'keywords' is neither a list of texts nor a text with signs between them")
    return words


def _own_rows(
    paths: Iterable[Path],
    parse: Callable[[str], dict[str, Any]],
    held_out: frozenset[str],
) -> list[dict[str, Any]]:
    rows = [row for path in paths for row in read_lines(path, parse)[0]]
    kept = [row for row in rows if not _is_paper(row, held_out)]
    if len(kept) < len(rows):
        log.info("%d rows were left out; they are evaluation papers", len(rows) - len(kept))
    return kept


def read_documents(
    paths: Iterable[Path], held_out: frozenset[str] = frozenset(), *, stream: bool = False
) -> Mapping[str, str]:
    """The text of each document by its id, from jsonl with `title` and `text` or `abstract`.

    A document's text is its title, a line break and its text, or the only one that it has.
    Documents with a held-out title or text are left out. With `stream` the documents stay in their
    files until they are needed. Raises DataInvalid.
    """
    files = [LineFile(path, _document, lambda one: not _held(one[1], held_out)) for path in paths]
    if stream:
        return LinesById(files)
    return dict(document for file in files for document in file.read())


def _document(line: str) -> tuple[str, str]:
    row = record("id")(line)
    document = document_text(row)
    if not document:
        raise Malformed("none of title, text, abstract holds text")
    return row["id"], document


def document_text(row: Mapping[str, Any]) -> str:
    """The title of a row, a line break and its text or abstract, or the only one that it has."""
    return f"{_text(row, 'title')}\n{_text_of(row)}".strip()


def _text_of(row: Mapping[str, Any]) -> str:
    return _text(row, "text") or _text(row, "abstract")


def _held(text: str, held_out: frozenset[str]) -> bool:
    title, _, rest = text.partition("\n")
    return not held_out.isdisjoint({normal(title), normal(rest), normal(text)})


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""
