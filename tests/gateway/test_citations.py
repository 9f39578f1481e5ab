"""Citations in and out, through the whole system."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.common.citations.bibtex import bibtex
from services.common.citations.ris import ris
from services.common.documents import Content
from tests.citations import writers
from tests.citations.references import references
from tests.stack import Stack
from xunwen import ApiError, Client

NAME = f"citations_{os.getpid()}"
REFERENCES = references()[:12]
FILES = {"a.ris": ris, "a.bib": bibtex, "a.enw": writers.endnote, "a.net": writers.noteexpress,
         "a.eln": writers.cnki}  # fmt: skip


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, timeout=60) as client:
        yield client
        for listed in client.collections():
            if listed.name.startswith(NAME):
                client.delete_collection(listed.name)


def stored(client: Client, name: str) -> list[Content]:
    listed = client.documents(collection=name)
    return sorted(
        (Content(**each.model_dump()) for each in listed), key=lambda document: document.id
    )


def test_files_of_every_program_become_the_same_documents(client: Client, tmp_path: Path) -> None:
    """The rest of the fifty goes through the readers alone, in tests/citations."""
    parts = {name: REFERENCES[2 * n : 2 * n + 2] for n, name in enumerate(FILES)}
    jobs = []
    for name, part in parts.items():
        (tmp_path / name).write_text(FILES[name](part), encoding="utf-8")
        jobs.append(client.index(tmp_path / name, collection=NAME))
    for job in jobs:
        ended = client.wait(job.id)
        assert (ended.counts.indexed, ended.counts.rejected) == (2, 0), ended
    wanted = sorted((one for part in parts.values() for one in part), key=lambda one: one.id)
    assert stored(client, NAME) == wanted


def test_damaged_entries_are_told_with_their_line(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "damaged.ris"
    file.write_text(f"序言\n{ris(REFERENCES[:1])}TY  - JOUR\nTI  - 断\n", encoding="utf-8")
    job = client.wait(client.index(file, collection=f"{NAME}_damaged").id)
    assert (job.counts.read, job.counts.indexed, job.counts.rejected) == (3, 1, 2)
    lines = file.read_text(encoding="utf-8").splitlines()
    told = {each.line: each.reason for each in client.errors(job.id)}
    assert set(told) == {1, lines.index("TI  - 断")}
    assert "outside" in told[1]


def test_an_export_under_another_name_is_refused_with_what_to_write(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "cnki.txt"
    file.write_text(writers.cnki(REFERENCES[:2]), encoding="utf-8")
    with pytest.raises(ApiError) as refused:
        client.index(file, collection=NAME)
    assert refused.value.status == 415
    assert "format=cnki" in refused.value.detail
    accepted = client.index(file, collection=f"{NAME}_cnki", format="cnki")
    assert client.wait(accepted.id).counts.indexed == 2


def test_chosen_documents_and_hits_as_citations(client: Client, stack: Stack) -> None:
    ids = [REFERENCES[1].id, REFERENCES[0].id]
    chosen = [REFERENCES[1], REFERENCES[0]]
    assert client.cite(ids, collection=NAME) == ris(chosen)
    assert client.cite(ids, collection=NAME, form="bibtex") == bibtex(chosen)
    text = stack.xunwen("docs", "cite", *ids, "-c", NAME, "--form", "gbt7714").stdout
    assert text.startswith("[1] ")
    assert len(text.splitlines()) == 2
    options = {"collection": NAME, "rank": False, "top_k": 3}
    hits = client.search("冻土区路基的变形", **options).hits  # type: ignore[arg-type]
    cited = client.cite_search("冻土区路基的变形", **options)  # type: ignore[arg-type]
    assert [line[6:] for line in cited.splitlines() if line.startswith("ID  - ")] == [
        hit.id for hit in hits
    ]
    printed = stack.xunwen("search", "冻土", "-c", NAME, "-k", "2", "--cite", "bibtex").stdout
    assert printed.count("@") >= 2
    answer = httpx.post(
        f"{stack.url}/v1/citations", json={"ids": ids, "collection": NAME, "form": "ris"}
    )
    assert answer.headers["content-type"].startswith("application/x-research-info-systems")
    assert 'filename="references.ris"' in answer.headers["content-disposition"]
    for body, status in (
        ({"ids": ["nowhere"], "collection": NAME}, 404), ({"ids": [], "collection": NAME}, 422),
        ({"ids": ids, "collection": NAME, "form": "word"}, 422),
    ):  # fmt: skip
        assert httpx.post(f"{stack.url}/v1/citations", json=body).status_code == status
    fields = {"query": "冻土", "collection": NAME, "fields": ["title"]}
    assert httpx.post(f"{stack.url}/v1/search:cite", json=fields).status_code == 422
