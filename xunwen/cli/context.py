"""Options and output that all commands share: the gateway's address, the API key, JSON."""

import errno
import importlib.util
import json
import os
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from xunwen.client import Client, XunwenError
from xunwen.client.exchange import DEFAULT_URL

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON: one document, or JSON lines for lists.")
]

_UNWRAPPED = 10_000_000
"""Width, in characters, of what another program reads; no document has a longer line."""
_BREAKS = re.compile(r"[\t\r\n]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")


def harmless(text: str) -> str:
    """The text without the control characters by which a document could clear a terminal, write
    over a line of it or fill its clipboard. Tabs and line ends stay."""
    return _CONTROLS.sub("", text)


class Output(Console):
    """Standard output or standard error.

    Lines are wrapped for people, and not for another program or a file, which would take one
    document for several lines. Text is written as it is, brackets name no colours in it and `:id:`
    is no emoji; only what would command the terminal is left out.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        size = super().size
        if self.is_terminal:
            return size
        columns = os.environ.get("COLUMNS", "")
        return ConsoleDimensions(int(columns) if columns.isdigit() else _UNWRAPPED, size.height)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else harmless(segment.text)
            yield Segment(text, segment.style, segment.control)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "The reader of the output has closed it.")


console = Output()


@dataclass(frozen=True, slots=True)
class Connection:
    """The gateway that commands talk to, and the API key for it."""

    url: str | None = None
    """Address that --url or XUNWEN_URL gives; None for the gateway of this machine."""
    api_key: str | None = None
    timeout: float = 30.0
    """Seconds to wait for an answer."""

    def client(self) -> Client:
        """The client for this connection; a context manager."""
        return Client(self.url or local_url(), api_key=self.api_key, timeout=self.timeout)


def connection_of(ctx: typer.Context) -> Connection:
    """The connection that the options of the command line name; the default one without the main
    application."""
    return ctx.find_object(Connection) or Connection()


def client_of(ctx: typer.Context) -> Client:
    """The client for this command line; a context manager."""
    return connection_of(ctx).client()


def refuse_other_gateway(ctx: typer.Context, command: str, instead: str) -> None:
    """Raises XunwenError if --url names a gateway on which the command cannot act.

    Commands that work on this machine's own parts would otherwise act on another system than the
    caller named. The address of this machine's own gateway is allowed.
    """
    url = connection_of(ctx).url
    if url is None or url.rstrip("/") == local_url().rstrip("/"):
        return
    raise XunwenError(f"`xunwen {command}` does not go through the gateway {url}. {instead}")


def local_url() -> str:
    """Address of the gateway that `xunwen up` started last on this machine, or the default."""
    if importlib.util.find_spec("pydantic_settings") is None:
        return DEFAULT_URL
    from xunwen.embedded.settings import EmbeddedSettings, last_settings

    return last_settings(EmbeddedSettings()).gateway_url


def print_line(*parts: str) -> None:
    """Writes the parts, such as an id and a title, as one line, whatever breaks are in them."""
    console.print("  ".join(_BREAKS.sub(" ", part) for part in parts))


def print_json(value: BaseModel | dict[str, Any]) -> None:
    """Writes one JSON document on a line of stdout."""
    if isinstance(value, BaseModel):
        typer.echo(value.model_dump_json())
    else:
        typer.echo(json.dumps(value, ensure_ascii=False))


def print_json_lines(values: Iterable[BaseModel]) -> None:
    """Writes JSON documents, each on its own line of stdout."""
    for value in values:
        print_json(value)


def value_text(value: object) -> str:
    """A value of a document for people: lists with signs between their items, nothing for none."""
    if isinstance(value, list):
        return "、".join(map(str, value))
    return "" if value is None else str(value)


def time_of(moment: Any) -> str:
    """A point in time in this machine's zone; an empty text for none."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def write_file(file: Path, blocks: Iterable[bytes]) -> None:
    """Writes a file, which is there as a whole or, if a block fails to come, not at all. Raises
    XunwenError."""
    target = Path(os.path.realpath(file))
    part = target.with_name(f".xunwen-{uuid.uuid4().hex}.part")
    try:
        # A device, such as /dev/stdout, would be replaced by a file.
        if target.exists() and not target.is_file():
            raise XunwenError(f"{file} is no file; name a file to write.")
        with part.open("wb") as written:
            for block in blocks:
                written.write(block)
        part.replace(target)
    except OSError as error:
        raise XunwenError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        # Where nothing can be written, nothing can be deleted either.
        with suppress(OSError):
            part.unlink()


def read_text(file: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises XunwenError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise XunwenError(f"{file} cannot be read: {error.strerror}.") from error
    return _decoded(content, file.name)


def _decoded(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise XunwenError(f"{name} is no text in UTF-8; save it as UTF-8.") from error


def json_of(text: str) -> Any:
    """The value of a JSON text. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def json_object(text: str | None, what: str) -> dict[str, Any] | None:
    """The JSON object in the text of an option. Raises BadParameter for any other text."""
    if text is None:
        return None
    try:
        parsed = json_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"the {what} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise typer.BadParameter(f"the {what} is not a JSON object")
    return parsed


def given_object(argument: str, what: str) -> dict[str, Any]:
    """The JSON object in an argument, or on standard input if that is `-`.

    Raises BadParameter for what is no object, and XunwenError for what is no text.
    """
    text = _decoded(sys.stdin.buffer.read(), "Standard input") if argument == "-" else argument
    return json_object(text, what) or {}
