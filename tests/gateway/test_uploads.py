"""Files of a form on their way to the indexer: one as it is, several as a zip."""

import io
import zipfile
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from services.common.errors import SearchError
from services.common.wire.input_formats import InputFormat
from services.gateway.indexing.uploads import MAX_FILES, Upload, of_multipart

Files = list[tuple[str, tuple[str, bytes]]]


def request(files: Files, **fields: str) -> Request:
    """A request with a form, as a client sends it."""
    sent = httpx.Request("POST", "http://a/", files=files, data=fields)
    body = sent.read()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def raw(body: bytes) -> Request:
    """A request with this form, whose boundary is x."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def part(name: bytes, content: bytes = b"x") -> bytes:
    """A file of such a form, with the boundary before it."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name
    return head + b'"\r\n\r\n' + content + b"\r\n"


async def taken(sent: Request, stated: InputFormat | None = None) -> tuple[Upload, bytes]:
    async with of_multipart(sent, stated) as upload:
        return upload, b"".join([block async for block in _blocks(upload)])


async def _blocks(upload: Upload) -> AsyncIterator[bytes]:
    async for block in upload.content:
        yield block


async def test_one_file_goes_as_it_is_with_its_name() -> None:
    upload, content = await taken(request([("file", ("论文.pdf", b"%PDF"))]))
    assert (upload.format, upload.name, content) == (InputFormat.PDF, "论文.pdf", b"%PDF")


async def test_several_files_go_as_a_zip_under_their_paths() -> None:
    large = bytes(range(256)) * 20_000
    files = [("file", ("2024/a.pdf", large)), ("file", ("b.md", b"# b")), ("file", ("c.pdf", b""))]
    upload, content = await taken(request(files))
    assert upload.format is InputFormat.ZIP
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "2024/a.pdf": large,
            "b.md": b"# b",
            "c.pdf": b"",
        }


@pytest.mark.parametrize(
    ("files", "fields", "stated", "says"),
    [
        ([("file", ("a.pptx", b"x"))], {}, None, "does not tell its format"),
        ([("file", ("a.md", b"x"))], {"mode": "rebuild"}, None, "nothing but files"),
        ([("other", ("a.md", b"x"))], {}, None, "nothing but files"),
        ([("file", ("a.md", b"x"))] * 2, {}, InputFormat.CSV, "Leave `format` out"),
        ([("file", ("a.md", b"x"))] * (MAX_FILES + 1), {}, None, "send a zip of more"),
    ],
)
async def test_a_form_that_is_no_input_is_refused_in_words(
    files: Files, fields: dict[str, str], stated: InputFormat | None, says: str
) -> None:
    with pytest.raises(SearchError, match=says) as refused:
        await taken(request(files, **fields), stated)
    assert 400 <= refused.value.status < 500


@pytest.mark.parametrize("lost", [3, 5, 10, len(part(b"b.md")) + 7])
async def test_a_form_without_its_end_is_refused(lost: int) -> None:
    """The files before the cut would be indexed, and the one that was cut would be missing."""
    whole = part(b"a.md") + part(b"b.md") + b"--x--\r\n"
    assert (await taken(raw(whole)))[0].format is InputFormat.ZIP
    with pytest.raises(SearchError, match="ends before its last boundary") as refused:
        await taken(raw(whole[:-lost]))
    assert refused.value.status == 400


@pytest.mark.parametrize("charset", ["utf-8", "gbk"])
@pytest.mark.parametrize("name", ["论文.md", "朱镕基（稿）.md", "a.md"])
async def test_names_are_read_in_the_charset_of_the_machine_that_sent_them(
    name: str, charset: str
) -> None:
    upload, _ = await taken(raw(part(name.encode(charset)) + b"--x--\r\n"))
    assert upload.name == name
    several = part(name.encode(charset)) + part(b"b.md") + b"--x--\r\n"
    _, content = await taken(raw(several))
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == [name, "b.md"]


async def test_a_name_in_no_known_charset_is_a_name() -> None:
    upload, _ = await taken(raw(part(b"a\xff\xfe.md") + b"--x--\r\n"))
    assert upload.name
    assert upload.format is InputFormat.MARKDOWN


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename*=utf-8''%E8%AE%BA%E6%96%87.md", "论文.md"),
        ("filename*=UTF-8'zh-CN'%E8%AE%BA%E6%96%87.md", "论文.md"),
        ("filename*=gbk''%C2%DB%CE%C4.md", "论文.md"),
        ("filename=\"=?utf-8?B?6K665paH?=.md\"; filename*=utf-8''%E8%AE%BA%E6%96%87.md", "论文.md"),
        ("filename*=utf-8''%E8%AE%BA%E6%96%87.md; filename=a.md", "论文.md"),
        ("filename=\"a; filename*=utf-8''b.md\"", "a; filename*=utf-8''b.md"),
        ("filename=a.md; filename*=unknown''%C2.md", "a.md"),
        ("filename=a.md; filename*=utf-8''%C2.md", "a.md"),
        ("filename=a.md; filename*=b.md", "a.md"),
    ],
)
async def test_a_name_in_the_extended_form_is_read(parameters: str, name: str) -> None:
    """As requests with urllib3 1.26 and clients of .NET write names that are not ASCII."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; {parameters}\r\n\r\n'
    upload, content = await taken(raw(head.encode() + b"# a\r\n--x--\r\n"))
    assert (upload.name, content) == (name, b"# a")
