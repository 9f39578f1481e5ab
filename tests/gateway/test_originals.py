"""The files of which documents were made, through the whole system, until they are deleted."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.indexer import papers
from tests.stack import Stack
from xunwen import ApiError, Client

NAME = "originals"
PAPER = papers.paper_pdf()
WEB = "<h1>网页</h1><p>内容。</p><script>document.title = 'harm'</script>".encode()


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, timeout=60) as client:
        yield client
        if any(one.name == NAME for one in client.collections()):
            client.delete_collection(NAME)


def index(client: Client, folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    job = client.index([folder / name.replace("_", ".") for name in files], collection=NAME)
    assert client.wait(job.id).counts.indexed == len(files)


def stored(client: Client, identity: str) -> bytes | None:
    try:
        return b"".join(client.original(identity, collection=NAME))
    except ApiError as error:
        if (error.status, error.code) != (404, "original_not_found"):
            raise
        return None


def files_of(stack: Stack) -> list[Path]:
    return [each for each in stack.home.rglob(f"originals/{NAME}/**/*") if each.is_file()]


def test_an_original_lives_as_long_as_its_document(
    client: Client, stack: Stack, tmp_path: Path
) -> None:
    index(client, tmp_path, a_pdf=PAPER, b_html=WEB, t_csv=b"id,title\nr1,one\n")
    assert stored(client, "a.pdf") == PAPER
    assert stored(client, "b.html") == WEB
    assert stored(client, "r1") is None
    client.patch("a.pdf", collection=NAME, fields={"read": True})
    assert stored(client, "a.pdf") == PAPER, "its metadata were changed"
    whole = client.get("a.pdf", collection=NAME)
    client.put(whole, collection=NAME)
    assert stored(client, "a.pdf") == PAPER, "what was read was written back"
    changed = papers.paper_pdf(title="neu")
    index(client, tmp_path, a_pdf=changed)
    assert stored(client, "a.pdf") == changed
    whole.fields.clear()
    client.put(whole, collection=NAME)
    assert stored(client, "a.pdf") is None, "replaced by something that is no file"
    client.delete("a.pdf", collection=NAME)
    assert [each.suffix for each in files_of(stack)] == [".html"]
    client.delete_collection(NAME)
    assert files_of(stack) == []


def test_a_browser_may_show_a_pdf_and_nothing_else(
    client: Client, stack: Stack, tmp_path: Path
) -> None:
    index(client, tmp_path, a_pdf=PAPER, b_html=WEB)
    heads = {
        name: httpx.get(f"{stack.url}/v1/collections/{NAME}/originals/{name}").headers
        for name in ("a.pdf", "b.html")
    }
    for head in heads.values():
        assert head["x-content-type-options"] == "nosniff"
        assert head["cache-control"] == "no-store"
    shown, saved = heads["a.pdf"], heads["b.html"]
    assert shown["content-type"] == "application/pdf"
    assert shown["content-length"] == str(len(PAPER))
    assert shown["content-disposition"] == "inline; filename*=UTF-8''a.pdf"
    assert saved["content-type"] == "text/html"
    assert saved["content-disposition"].startswith("attachment; ")
    assert saved["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_the_command_and_the_rights_are_those_of_documents(
    client: Client, stack: Stack, keyed: str, tmp_path: Path
) -> None:
    index(client, tmp_path, a_pdf=PAPER)
    file = tmp_path / "out.pdf"
    done = stack.xunwen("docs", "original", "a.pdf", "-c", NAME, "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == PAPER
    missing = stack.xunwen("docs", "original", "b.pdf", "-c", NAME, "-o", str(tmp_path / "no"))
    assert missing.returncode
    assert not list(tmp_path.glob("no*"))
    path = f"{keyed}/v1/collections/{NAME}/originals/a.pdf"
    assert httpx.get(path).status_code == 401
    for scope, collection, wanted in (
        ("search", NAME, 200),
        ("search", "literature", 404),
        ("index", NAME, 403),
    ):
        key = stack.xunwen(
            "keys", "create", f"o-{scope}-{collection}", "--scope", scope,
            "--collection", collection,
        ).stdout.strip()  # fmt: skip
        answer = httpx.get(path, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == wanted, (scope, collection, answer.text)
