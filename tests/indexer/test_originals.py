"""Files that are kept as originals: which are, which one a document names, when they go."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest

from services.common.collection import PhysicalName
from services.common.documents import Content
from services.common.wire.input_formats import InputFormat
from services.indexer.jobs.originals import OriginalsSweep
from services.indexer.originals import FIELD, Original, Originals, digest_of
from services.indexer.rows import Row
from services.indexer.store import ObjectStore
from tests.indexer import papers
from tests.indexer.in_memory import Role
from tests.indexer.planning import MOST_BYTES, Case
from tests.servers import object_store

PDF = InputFormat.PDF


def content(originals: Originals, document: Content, version: int) -> bytes | None:
    kept = originals.open("c", document, version)
    return None if kept is None else b"".join(kept.blocks())


def named(size: int, identity: str = "a.pdf", **fields: Any) -> Content:
    return Content(id=identity, title="t", fields={FIELD: size, **fields})


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The options of an S3-compatible store."""
    with object_store(tmp_path_factory.mktemp("store")) as server:
        options = {"key": "key", "secret": "secret", "endpoint_url": server.url}
        fsspec.filesystem("s3", **options).mkdir("kept")
        yield options


@pytest.fixture(params=["disk", "s3"])
def originals(request: pytest.FixtureRequest, tmp_path: Path) -> Originals:
    if request.param == "disk":
        return Originals(ObjectStore(str(tmp_path / "storage")), MOST_BYTES)
    options = request.getfixturevalue("bucket")
    return Originals(ObjectStore(f"s3://kept/{tmp_path.name}", options), MOST_BYTES)


def keep(originals: Originals, folder: Path, text: bytes, version: int, name: str = "a.pdf") -> int:
    file = folder / "file"
    file.write_bytes(text)
    originals.keep("c", name, file, PDF, version)
    return len(text)


def test_files_that_are_documents_are_kept_and_no_others(tmp_path: Path) -> None:
    files = {
        "论文/冻土.pdf": papers.paper_pdf(),
        "p.html": "<h1>网页</h1><p>内容。</p>".encode(),
        "n.md": f"---\n{FIELD}: 3\n---\n# 笔记\n\n内容。".encode(),
        "t.txt": "题目\n\n内容。".encode("gb18030"),
        "r.csv": b"id,title\nr1,one\n",
        "scan.pdf": papers.scanned_pdf(),
        "long.txt": b"x " * MOST_BYTES,
    }
    case = Case(tmp_path, papers.zipped(files), 100, format=InputFormat.ZIP, charset=None)
    documents = {one.document.id: one.document for one in case.documents(case.plan())}
    kept = {name: content(case.originals, each, 1) for name, each in documents.items()}
    wanted = {name: files[name] for name in ("论文/冻土.pdf", "p.html", "n.md", "t.txt")}
    assert kept == {"r1": None, "long.txt": None, **wanted}
    sizes = {name: each.fields.get(FIELD) for name, each in documents.items()}
    assert sizes == {name: text and len(text) for name, text in kept.items()}
    found = case.originals.open("c", documents["论文/冻土.pdf"], 1)
    assert found is not None
    assert (found.media_type, found.name) == ("application/pdf", "冻土.pdf")
    assert found.disposition.startswith("inline; filename*=UTF-8''%E5%86%BB")
    found.opened.close()


@pytest.mark.parametrize(
    ("name", "kind", "media_type", "how"),
    [
        ("a.pdf", InputFormat.PDF, "application/pdf", "inline"),
        ("a.html", InputFormat.HTML, "text/html", "attachment"),
        ("a.md", InputFormat.MARKDOWN, "text/markdown", "attachment"),
        ('q"; x.txt', InputFormat.TEXT, "text/plain", "attachment"),
    ],
)
def test_only_a_pdf_is_to_be_shown(
    originals: Originals, tmp_path: Path, name: str, kind: InputFormat, media_type: str, how: str
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    originals.keep("c", name, tmp_path / "f", kind, 1)
    kept = originals.open("c", named(1, name), 1)
    assert kept is not None
    assert kept.media_type == media_type
    assert kept.disposition.startswith(f"{how}; filename*=")
    assert '"' not in kept.disposition
    kept.opened.close()


def test_a_document_names_the_file_it_came_from(originals: Originals, tmp_path: Path) -> None:
    size = keep(originals, tmp_path, b"first", 10)
    assert content(originals, named(size), 10) == b"first"
    assert content(originals, named(size), 25) == b"first", "its metadata were changed"
    other = keep(originals, tmp_path, b"second", 20)
    assert content(originals, named(size), 10) == b"first", "a job has not written its row yet"
    assert content(originals, named(other), 20) == b"second"
    assert content(originals, named(other), 15) is None
    assert content(originals, Content(id="a.pdf"), 30) is None, "replaced by something else"
    assert content(originals, named(size, "b.pdf"), 30) is None
    assert content(originals, named(True), 30) is None


@pytest.mark.parametrize("others", [1, 200])
def test_a_deletion_spares_what_a_later_job_has_kept(
    originals: Originals, tmp_path: Path, others: int
) -> None:
    size = keep(originals, tmp_path, b"old", 10)
    later = keep(originals, tmp_path, b"newer", 30)
    keep(originals, tmp_path, b"other", 10, "b.pdf")
    originals.delete("c", ["a.pdf", *(f"unknown{n}" for n in range(others))], 20)
    assert content(originals, named(size), 10) is None
    assert content(originals, named(later), 30) == b"newer"
    assert content(originals, named(5, "b.pdf"), 10) == b"other"
    originals.drop("c")
    assert originals.all("c") == {}


class Index:
    """Generations of one collection, as the sweep needs them."""

    def __init__(self, generations: dict[PhysicalName, list[Row]]) -> None:
        self._generations = generations

    async def resolve(self, name: str) -> PhysicalName | None:
        return next((one for one in self._generations if one.name == name), None)

    async def physicals(self) -> list[PhysicalName]:
        return [PhysicalName("other", "e", "a", 1), *self._generations]

    async def pages(
        self, physical: PhysicalName, expression: str, *, vectors: bool
    ) -> AsyncIterator[list[Row]]:
        for row in self._generations[physical]:
            if FIELD in row.document.fields:
                yield [row]


def sweep_of(
    originals: Originals,
    generations: list[list[Row]],
    oldest: int | None,
    rebuilding: int | None = None,
) -> OriginalsSweep:
    physical = {PhysicalName("c", "e", "a", at): rows for at, rows in enumerate(generations)}
    book = SimpleNamespace(
        rebuilding=lambda name: rebuilding, oldest_write=lambda name: oldest, loaded=True
    )
    role = Role()
    return OriginalsSweep(originals, SimpleNamespace(index=Index(physical)), book, role)  # type: ignore[arg-type]


def row(document: Content, version: int) -> Row:
    return Row(document, "", np.zeros(0, np.float32), version)


async def test_what_no_document_names_is_removed(originals: Originals, tmp_path: Path) -> None:
    chance = random.Random(3)
    for version in range(10, 40):
        for name in ("a.pdf", "b.pdf", "c.pdf"):
            if chance.random() < 0.3:
                keep(originals, tmp_path, b"x" * chance.randrange(1, 4), version, name)
    before = originals.all("c")
    live = [row(named(2, "a.pdf"), 38), row(named(3, "b.pdf"), 20), row(Content(id="c.pdf"), 39)]
    earlier = [row(named(1, "a.pdf"), 15), row(named(1, "c.pdf"), 30)]
    wanted = {
        (one.id, content(originals, one.document, one.version or 0)) for one in (*live, *earlier)
    }
    await sweep_of(originals, [live, earlier], None, rebuilding=3).sweep("c")
    assert originals.all("c") == before, "a rebuild runs, whose rows are not all there"
    await sweep_of(originals, [live, earlier], 25).sweep("c")
    left = originals.all("c")
    for digest, several in before.items():
        for one in several:
            newest = {digest_of("a.pdf"): 38, digest_of("b.pdf"): 20, digest_of("c.pdf"): 30}
            waits = one.version >= 25 and one.version >= newest[digest]
            assert one in left.get(digest, ()) or not waits, "a job may still write its row"
    await sweep_of(originals, [live, earlier], None).sweep("c")
    assert {
        (one.id, content(originals, one.document, one.version or 0)) for one in (*live, *earlier)
    } == wanted
    assert sum(map(len, originals.all("c").values())) == sum(text is not None for _, text in wanted)
    await sweep_of(originals, [], None).sweep("c")
    assert originals.all("c"), "an index that is away or empty removes nothing"


@pytest.mark.parametrize("name", ["", "1", "1-2", "1-2.exe", "a-2.pdf", ".writing-1", "1-2.pdf.x"])
def test_other_objects_are_no_originals(name: str) -> None:
    assert Original.parse(name) is None
    assert Original.parse("1-2.pdf") == Original(1, 2, PDF)
